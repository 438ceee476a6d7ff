#include <cstring>

#include "interpreters/interpreter.h"
#include "interpreters/python/code_store.h"
#include "interpreters/python/recognise.h"

namespace trc::interpreters {
namespace {

class Python final : public Interpreter {
 public:
  std::string_view name() const override { return "Python"; }
  Maps maps() const override { return {"trc_py_files", "trc_py_late", "trc_py_runtimes", TRC_PY_MAX_FILES, TRC_PY_MAX_RUNTIMES, sizeof(trc_py_runtime)}; }

  std::optional<Result<std::string>> recognise(const symbols::ElfReader& file, std::string_view file_name) const override {
    auto found = python::recognise(file, file_name);
    if (!found) return std::nullopt;
    if (!*found) return std::move(*found).error();
    (*found)->specific = python::kUsualSpecific;
    return std::string(reinterpret_cast<const char*>(&**found), sizeof(trc_py_runtime));
  }

  void complete(std::string& layout, const symbols::ElfReader& c_library) const override {
    const auto specific = python::read_specific(c_library);
    if (!specific || layout.size() != sizeof(trc_py_runtime)) return;
    std::memcpy(layout.data() + offsetof(trc_py_runtime, specific), &*specific, sizeof *specific);
  }

  bool add_code(std::span<const std::byte> record) override { return codes_.add(record); }
  std::optional<NamedFrame> frame(std::uint32_t tgid, std::uint64_t word) const override { return codes_.name(tgid, word); }

 private:
  python::CodeStore codes_;
};

}  // namespace

std::unique_ptr<Interpreter> make_python() { return std::make_unique<Python>(); }

}  // namespace trc::interpreters
