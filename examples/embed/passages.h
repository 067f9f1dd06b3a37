// The texts that the example searches, and how they are compared with a question.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

/// A paragraph of a file.
struct Passage {
  std::string file;  ///< relative to the folder
  size_t line = 0;   ///< of its first line, from 1
  std::string text;
};

/// Paragraphs of every .txt and .md file below a folder, files in the order of their names.
std::vector<Passage> read_passages(const std::filesystem::path& folder);

/// out[i] = row i of `vectors` [n, width] times `query` [width]: the cosine, since all are of length 1.
std::vector<float> scores(std::span<const float> vectors, std::span<const float> query);
