#include "runtime/command_line.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"

namespace trc::runtime {
namespace {

/// "": it can be executed. Otherwise why not.
std::string why_not_executable(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::strerror(errno);
  if (S_ISDIR(info.st_mode)) return std::strerror(EISDIR);
  if (!S_ISREG(info.st_mode)) return "it is not a regular file";
  if (::access(path.c_str(), X_OK) != 0) return std::strerror(errno);
  return {};
}

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  Result<std::vector<std::string>> split() {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == ' ' || c == '\t' || c == '\n') end_word();
      else if (c == '\'') TRC_CHECK(single_quoted());
      else if (c == '"') TRC_CHECK(double_quoted());
      else if (c == '\\') escaped();
      else add(c);
    }
    end_word();
    return std::move(words_);
  }

 private:
  void add(char c) {
    word_ += c;
    in_word_ = true;
  }
  void end_word() {
    if (in_word_) words_.push_back(std::move(word_));
    word_.clear();
    in_word_ = false;
  }
  void escaped() {
    if (at_ == text_.size()) return add('\\');
    const char c = text_[at_++];
    if (c != '\n') add(c);   // backslash-newline joins lines
  }
  Result<> single_quoted() {
    const std::size_t end = text_.find('\'', at_);
    if (end == std::string_view::npos) return Error("a ' is not closed");
    word_ += text_.substr(at_, end - at_);
    in_word_ = true;
    at_ = end + 1;
    return {};
  }
  Result<> double_quoted() {
    in_word_ = true;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return {};
      if (c != '\\' || at_ == text_.size()) {
        word_ += c;
        continue;
      }
      const char next = text_[at_++];
      if (next == '\n') continue;
      if (std::string_view("\"\\$`").find(next) == std::string_view::npos) word_ += '\\';
      word_ += next;
    }
    return Error("a \" is not closed");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> words_;
  std::string word_;
  bool in_word_ = false;
};

}  // namespace

Result<std::vector<std::string>> split_command(std::string_view command) {
  auto words = Splitter(command).split();
  if (!words) return std::move(words).error().context("the command '" + std::string(command) + "'");
  if (words->empty()) return Error("the command is empty");
  if (words->front().empty()) return Error("the command '" + std::string(command) + "' starts with an empty word, where its program belongs");
  return words;
}

Result<std::string> find_executable(const std::string& name, std::string_view path) {
  if (name.find('/') != std::string::npos) {
    if (const std::string why = why_not_executable(name); !why.empty()) return Error("cannot run '" + name + "': " + why);
    return name;
  }
  std::string found_but;   // of the right name, but not executable: worth saying
  for (const std::string& folder : split(path, ':')) {
    const std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
    if (const std::string why = why_not_executable(candidate); why.empty()) return candidate;
    else if (::access(candidate.c_str(), F_OK) == 0 && found_but.empty()) found_but = candidate + ": " + why;
  }
  if (!found_but.empty()) return Error("cannot run '" + name + "': " + found_but);
  Error error("cannot run '" + name + "': no such program in PATH");
  if (name.find('=') != std::string::npos) return std::move(error).hint("-c runs no shell: variables are set with env " + name + " PROGRAM …");
  return std::move(error).hint("give its path, or see whether PATH is what you expect (sudo changes it)");
}

}  // namespace trc::runtime
