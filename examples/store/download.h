// Files from the network into a store: resumed where they were cut, and compared with what was promised.
#pragma once

#include <string>
#include <vector>

#include "http_client.h"
#include "store.h"

namespace hearth_store {

/// What is fetched, and what is known of it beforehand.
struct Remote {
  HttpAsk ask{};
  std::string kind{};    ///< of the layer
  std::string digest{};  ///< 64 digits; empty: nobody said
  int64_t size = -1;     ///< -1: nobody said
  std::string title{};   ///< name of the file, for parts of a split model
};

/// How a pull is going.
struct PullState {
  std::string status{};    ///< "pulling manifest", "pulling 731a309768d7", "verifying", "writing manifest"
  std::string digest{};    ///< of the file that is being fetched; empty: none is, or nobody knows
  uint64_t done = 0;       ///< of this file
  uint64_t total = 0;      ///< 0: not known
  uint64_t all_done = 0;   ///< of all files
  uint64_t all_total = 0;  ///< of those whose size is known
};

struct PullOptions {
  /// Called at every step and several times a second; false stops.
  std::function<bool(const PullState&)> progress{};
  int n_tries = 8;          ///< cut connections in a row, without a byte between them, before it is given up
  double first_wait = 0.5;  ///< seconds before the second try; doubled up to 8
};

/// Fetches a file into the store's blobs, unless it is there. What came before a cut is kept (as *.partial), also when
/// the process ends, and the rest is asked for. kFormat: size or digest are not those that were promised; nothing of
/// it stays.
hearth::Result<Layer> download(const Store& store, const Remote& remote, const PullOptions& options, PullState& state);

}  // namespace hearth_store
