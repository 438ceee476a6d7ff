// Tells the walkers of interpreted languages which files hold an interpreter, and keeps what they send about code.
//
// Files are looked at before they are needed where that is possible: what a process has mapped when it is attached to, what a program that is
// about to run will load. Others are asked for by the walker when it meets them; stacks until the answer have no such frames, and
// say so.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/owned.h"
#include "base/result.h"
#include "interpreters/interpreter.h"
#include "runtime/engine.h"
#include "runtime/file_key.h"

namespace trc::runtime {

class InterpreterFiles {
 public:
  /// Null if no program of the image walks frames of an interpreter.
  static Result<std::unique_ptr<InterpreterFiles>> create(const image::ProgramImage& image);

  /// Before the engine loads.
  void provide(Engine& engine) const;
  /// What the process has mapped.
  void look_at_process(std::int32_t pid);
  /// A program that is about to run, and what it will load (files_of_program()).
  void look_at_files(const std::vector<std::string>& paths);
  /// A record of lang::ActionKind::InterpreterFile.
  void asked(std::span<const std::byte> record);
  /// A record of lang::ActionKind::InterpreterCode.
  void add_code(std::span<const std::byte> record) { language_->add_code(record); }

  std::optional<interpreters::NamedFrame> frame(std::uint32_t tgid, std::uint64_t word) const { return language_->frame(tgid, word); }
  /// Of the stacks of a program that met files too early: how many met one with an interpreter, or one that could not be looked at any more.
  std::uint64_t late_stacks(std::uint32_t program) const;
  /// "/usr/bin/python3.9: …" for each file whose frames cannot be read.
  const std::vector<std::string>& refused() const { return refused_; }

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;   // device, inode, as the kernel has them
  explicit InterpreterFiles(std::unique_ptr<interpreters::Interpreter> language) : language_(std::move(language)) {}
  std::optional<Key> key_of(int fd, const std::optional<Key>& expected);
  void look(int fd, const Key& key, const std::string& shown, const std::string& c_library);
  void answer(const Key& key, std::uint32_t state, std::uint32_t number);

  std::unique_ptr<interpreters::Interpreter> language_;
  Fd files_, late_, layouts_;
  FileKeys keys_;
  std::set<Key> known_, shown_;  // files; what lists of mappings call those that were found there
  std::vector<std::string> refused_;
  std::uint32_t count_ = 0;      // layouts
};

}  // namespace trc::runtime
