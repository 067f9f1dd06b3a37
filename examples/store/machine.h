// What this machine has for models: memory that can be had, and how fast it is read.
#pragma once

#include <cstdint>
#include <string>

namespace hearth_store {

/// Bytes that this process can still take without swapping: the least of what the machine has available, what the
/// control groups (version 2) around it leave, and the limit of its address space. 0: unknown.
uint64_t available_memory();

/// Bytes a second that all threads read from memory, measured in about a second; 0 when it could not be. `folder`:
/// where the measure is kept for a day; empty: nowhere.
double read_speed(const std::string& folder);
/// The kept measure alone; 0: there is none.
double kept_read_speed(const std::string& folder);

}  // namespace hearth_store
