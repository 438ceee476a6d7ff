#include "symbols/call_frames.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "stdlib/unwind_abi.h"
#include "symbols/byte_reader.h"

namespace trc::symbols {
namespace {

// Numbers of registers in DWARF (System V ABI for x86-64, figure 3.36).
constexpr std::uint64_t kRbp = 6, kRsp = 7, kReturnAddress = 16;

// DW_CFA_*; the three with an operand in their low six bits first.
enum : std::uint8_t {
  kAdvanceLoc = 0x40, kOffset = 0x80, kRestore = 0xc0,
  kNop = 0, kSetLoc = 1, kAdvanceLoc1 = 2, kAdvanceLoc2 = 3, kAdvanceLoc4 = 4, kOffsetExtended = 5, kRestoreExtended = 6, kUndefined = 7,
  kSameValue = 8, kRegister = 9, kRememberState = 0xa, kRestoreState = 0xb, kDefCfa = 0xc, kDefCfaRegister = 0xd, kDefCfaOffset = 0xe,
  kDefCfaExpression = 0xf, kExpression = 0x10, kOffsetExtendedSf = 0x11, kDefCfaSf = 0x12, kDefCfaOffsetSf = 0x13, kValOffset = 0x14,
  kValOffsetSf = 0x15, kValExpression = 0x16, kGnuArgsSize = 0x2e, kGnuNegativeOffsetExtended = 0x2f
};
// DW_OP_*
enum : std::uint8_t { kDeref = 0x06, kPlus = 0x22, kPlusUconst = 0x23, kLit0 = 0x30, kLit31 = 0x4f, kBreg0 = 0x70, kBreg31 = 0x8f };

// DW_EH_PE_*: how an address is written.
enum : std::uint8_t { kAbsolute = 0, kPcRelative = 0x10, kIndirect = 0x80, kOmitted = 0xff };

/// No compiler nests states deeper than a few.
constexpr std::size_t kMaxRemembered = 64;

/// A value in the format of the low four bits of an encoding; what it is relative to is not added.
std::optional<std::uint64_t> read_encoded(ByteReader& in, std::uint8_t encoding) {
  switch (encoding & 0x0f) {
    case 0x00:
    case 0x04: return in.fixed<std::uint64_t>();
    case 0x01: return in.unsigned_leb();
    case 0x02: return in.fixed<std::uint16_t>();
    case 0x03: return in.fixed<std::uint32_t>();
    case 0x09: return static_cast<std::uint64_t>(in.signed_leb());
    case 0x0a: return static_cast<std::uint64_t>(std::int64_t{in.fixed<std::int16_t>()});
    case 0x0b: return static_cast<std::uint64_t>(std::int64_t{in.fixed<std::int32_t>()});
    case 0x0c: return static_cast<std::uint64_t>(in.fixed<std::int64_t>());
    default: return std::nullopt;
  }
}

/// An expression of one of the shapes that are in use: register + offset, then perhaps what lies there + a constant.
struct Expression {
  std::uint64_t base = 0;
  std::int64_t offset = 0;
  bool dereferences = false;
  std::uint64_t added = 0;
};
std::optional<Expression> parse_expression(std::string_view bytes) {
  ByteReader in(bytes);
  const std::uint8_t first = in.byte();
  if (first < kBreg0 || first > kBreg31) return std::nullopt;
  Expression result{.base = static_cast<std::uint64_t>(first - kBreg0), .offset = in.signed_leb()};
  if (!in.at_end()) {
    if (in.byte() != kDeref) return std::nullopt;
    result.dereferences = true;
  }
  if (!in.at_end()) {
    const std::uint8_t op = in.byte();
    if (op == kPlusUconst) {
      result.added = in.unsigned_leb();
    } else if (op >= kLit0 && op <= kLit31 && in.byte() == kPlus) {
      result.added = static_cast<std::uint64_t>(op - kLit0);
    } else {
      return std::nullopt;
    }
  }
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return result;
}

/// The linker's description of a procedure linkage table: "rsp + 8 + ((rip & 15) >= N ? 8 : 0)". N, if it is that.
std::optional<std::uint8_t> parse_plt(std::string_view bytes) {
  constexpr std::string_view kBefore("\x77\x08\x80\x00\x3f\x1a", 6), kAfter("\x2a\x33\x24\x22", 4);
  if (bytes.size() != kBefore.size() + 1 + kAfter.size() || !bytes.starts_with(kBefore) || !bytes.ends_with(kAfter)) return std::nullopt;
  const auto literal = static_cast<std::uint8_t>(bytes[kBefore.size()]);
  if (literal < kLit0 || literal > kLit0 + 15) return std::nullopt;
  return static_cast<std::uint8_t>(literal - kLit0);
}

template <class T>
bool fits(std::int64_t value) {
  return value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max();
}

/// Wraps around, as the numbers are foreign.
std::int64_t multiply(std::uint64_t a, std::int64_t b) { return static_cast<std::int64_t>(a * static_cast<std::uint64_t>(b)); }
std::int64_t difference(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

}  // namespace

/// Carries out the instructions of one entry.
class CallFrames::Interpreter {
 public:
  /// `remembered` is memory that is used again; `address` is that of the section `bytes`.
  Interpreter(const Common& common, const State& state, std::vector<State>& remembered, std::string_view bytes, std::uint64_t address)
      : common_(common), state_(state), remembered_(remembered), bytes_(bytes), address_(address) {
    remembered_.clear();
  }

  const State& state() const { return state_; }

  /// Calls `row(address)` when the place moves on, with the address up to which state() holds; false from it ends the run. False: an
  /// instruction that makes no sense, what follows it cannot be known.
  template <class Row>
  bool run(std::string_view program, std::uint64_t address, const Row& row) {
    ByteReader in(program);
    while (!in.at_end()) {
      const std::uint8_t op = in.byte(), low = op & 0x3f;
      std::uint64_t next = address;
      switch (op & 0xc0) {
        case kAdvanceLoc: next = address + low * common_.code_align; break;
        case kOffset: set_offset(low, multiply(in.unsigned_leb(), common_.data_align)); break;
        case kRestore: restore(low); break;
        default:
          if (!extended(low, in, next, static_cast<std::uint64_t>(program.data() - bytes_.data()))) return false;
      }
      if (!in.ok()) return false;
      if (next == address) continue;
      if (next < address) return false;
      if (!row(next)) return true;
      address = next;
    }
    return true;
  }

 private:
  bool extended(std::uint8_t op, ByteReader& in, std::uint64_t& next, std::uint64_t program_offset) {
    const std::uint64_t align = common_.code_align;
    const auto factored = [&](std::int64_t value) { return multiply(static_cast<std::uint64_t>(value), common_.data_align); };
    switch (op) {
      case kNop: return true;
      case kSetLoc: {
        const std::uint64_t place = address_ + program_offset + in.position();
        const auto value = read_encoded(in, common_.encoding);
        if (!value || (common_.encoding & 0x70) > kPcRelative) return false;
        next = *value + ((common_.encoding & 0x70) == kPcRelative ? place : 0);
        return true;
      }
      case kAdvanceLoc1: next += in.fixed<std::uint8_t>() * align; return true;
      case kAdvanceLoc2: next += in.fixed<std::uint16_t>() * align; return true;
      case kAdvanceLoc4: next += in.fixed<std::uint32_t>() * align; return true;
      case kOffsetExtended: {
        const std::uint64_t reg = in.unsigned_leb();
        set_offset(reg, multiply(in.unsigned_leb(), common_.data_align));
        return true;
      }
      case kOffsetExtendedSf: {
        const std::uint64_t reg = in.unsigned_leb();
        set_offset(reg, factored(in.signed_leb()));
        return true;
      }
      case kGnuNegativeOffsetExtended: {
        const std::uint64_t reg = in.unsigned_leb();
        set_offset(reg, difference(0, multiply(in.unsigned_leb(), common_.data_align)));
        return true;
      }
      case kRestoreExtended: restore(in.unsigned_leb()); return true;
      case kUndefined: set(in.unsigned_leb(), Saved::Undefined); return true;
      case kSameValue: set(in.unsigned_leb(), Saved::Same); return true;
      case kRegister: {
        const std::uint64_t reg = in.unsigned_leb();
        set(reg, in.unsigned_leb() == reg ? Saved::Same : Saved::Other);
        return true;
      }
      case kRememberState:
        if (remembered_.size() == kMaxRemembered) return false;
        remembered_.push_back(state_);
        return true;
      case kRestoreState:
        if (remembered_.empty()) return false;
        state_ = remembered_.back();
        remembered_.pop_back();
        return true;
      case kDefCfa: set_cfa(in.unsigned_leb()); state_.cfa_offset = static_cast<std::int64_t>(in.unsigned_leb()); return true;
      case kDefCfaSf: set_cfa(in.unsigned_leb()); state_.cfa_offset = factored(in.signed_leb()); return true;
      case kDefCfaRegister:
        set_cfa(in.unsigned_leb());
        return true;
      case kDefCfaOffset: state_.cfa_offset = static_cast<std::int64_t>(in.unsigned_leb()); return true;
      case kDefCfaOffsetSf: state_.cfa_offset = factored(in.signed_leb()); return true;
      case kDefCfaExpression: set_cfa_expression(in.take(in.unsigned_leb())); return true;
      case kExpression: {
        const std::uint64_t reg = in.unsigned_leb();
        set_expression(reg, in.take(in.unsigned_leb()));
        return true;
      }
      case kValExpression: {
        set(in.unsigned_leb(), Saved::Other);
        in.take(in.unsigned_leb());
        return true;
      }
      case kValOffset:
      case kValOffsetSf: {
        set(in.unsigned_leb(), Saved::Other);
        in.unsigned_leb();
        return true;
      }
      case kGnuArgsSize: in.unsigned_leb(); return true;
      default: return false;
    }
  }

  void set(std::uint64_t reg, Saved how, std::int64_t offset = 0) {
    if (reg == kRbp) {
      state_.fp = how;
      state_.fp_offset = offset;
    } else if (reg == kReturnAddress) {
      state_.ra = how;
      state_.ra_offset = offset;
    }
  }
  void set_offset(std::uint64_t reg, std::int64_t offset) { set(reg, Saved::AtCfa, offset); }
  void restore(std::uint64_t reg) {
    const State& initial = common_.initial;
    if (reg == kRbp) set(reg, initial.fp, initial.fp_offset);
    if (reg == kReturnAddress) set(reg, initial.ra, initial.ra_offset);
  }
  void set_expression(std::uint64_t reg, std::string_view bytes) {
    const auto expression = parse_expression(bytes);
    const bool known = expression && !expression->dereferences && (expression->base == kRbp || expression->base == kRsp);
    if (!known) set(reg, Saved::Other);
    else set(reg, expression->base == kRbp ? Saved::AtFp : Saved::AtSp, expression->offset);
  }

  void set_cfa(std::uint64_t reg) {
    state_.cfa = reg <= kReturnAddress ? Cfa::Register : Cfa::Other;
    state_.cfa_register = static_cast<std::uint8_t>(reg);
  }
  void set_cfa_expression(std::string_view bytes) {
    state_.cfa = Cfa::Other;
    if (const auto first_late = parse_plt(bytes)) {
      state_.cfa = Cfa::Plt;
      state_.expression_offset = *first_late;
    } else if (const auto expression = parse_expression(bytes); expression && expression->base <= kReturnAddress && expression->added <= 255) {
      state_.cfa = expression->dereferences ? Cfa::Deref : Cfa::Expression;
      state_.expression_register = static_cast<std::uint8_t>(expression->base);
      state_.expression_offset = expression->offset;
      state_.expression_added = static_cast<std::uint8_t>(expression->added);
    }
  }

  const Common& common_;
  State state_;
  std::vector<State>& remembered_;
  std::string_view bytes_;
  std::uint64_t address_;
};

std::uint64_t CallFrames::rule_of(const State& state, const Common& common) {
  const std::uint64_t other = TRC_UW_RULE(TRC_UW_OTHER, 0, 0, 0, 0);
  if (common.is_signal) {
    // What the kernel lays out for a handler (struct rt_sigframe): the stack pointer of the interrupted code lies at rsp + 160.
    const bool usual = state.cfa == Cfa::Deref && state.expression_register == kRsp && state.expression_offset == 160 && state.expression_added == 0;
    return usual ? TRC_UW_RULE(TRC_UW_SIGNAL, 0, 0, 0, 0) : other;
  }
  if (state.ra == Saved::Undefined) return TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0);
  if (state.ra != Saved::AtCfa || state.ra_offset != -8) return other;

  const bool by_register = state.cfa == Cfa::Register;
  const unsigned base = by_register ? state.cfa_register : state.expression_register;
  const std::int64_t offset = by_register ? state.cfa_offset : state.expression_offset;
  if (!fits<std::int32_t>(offset)) return other;
  unsigned kind = TRC_UW_OTHER, added = 0;
  switch (state.cfa) {
    case Cfa::Register:
    case Cfa::Expression:
      kind = base == kRsp ? TRC_UW_SP : base == kRbp ? TRC_UW_FP : TRC_UW_REGISTER;
      if (kind == TRC_UW_REGISTER) added = base;
      break;
    case Cfa::Deref:
      if (base != kRsp && base != kRbp) return other;
      kind = base == kRsp ? TRC_UW_DEREF_SP : TRC_UW_DEREF_FP;
      added = state.expression_added;
      break;
    case Cfa::Plt: kind = TRC_UW_PLT; break;
    case Cfa::Other: return other;
  }

  unsigned fp = TRC_UW_FP_SAME;
  std::int64_t fp_offset = state.fp_offset;
  switch (state.fp) {
    case Saved::Same: fp_offset = 0; break;
    case Saved::AtCfa: fp = TRC_UW_FP_SAVED; break;
    case Saved::AtFp: fp = TRC_UW_FP_AT_FP; break;
    case Saved::AtSp:   // said from the CFA, where that is known
      if (kind != TRC_UW_SP) return other;
      fp = TRC_UW_FP_SAVED;
      fp_offset = difference(fp_offset, offset);
      break;
    case Saved::Undefined:
    case Saved::Other: return other;
  }
  if (!fits<std::int16_t>(fp_offset)) return other;
  return TRC_UW_RULE(kind, fp, added, static_cast<unsigned>(fp_offset), static_cast<std::int32_t>(offset));
}

CallFrames::CallFrames(std::string_view bytes, std::uint64_t address, Kind kind) : bytes_(bytes), address_(address) {
  if (kind == Kind::DebugFrame) read_debug_frame();
  else read_eh_frame(kind == Kind::EhFrameToZero);
}

void CallFrames::read_eh_frame(bool zero_ends) {
  ByteReader in(bytes_);
  while (!in.at_end()) {
    const std::uint64_t start = in.position();
    std::uint64_t length = in.fixed<std::uint32_t>();
    if (length == 0 && zero_ends) return;
    if (length == 0xffffffff) length = in.fixed<std::uint64_t>();
    const std::uint64_t entry_at = in.position();
    const std::string_view entry = in.take(length);
    if (!in.ok()) return;
    ByteReader head(entry);
    // In .eh_frame the field is 4 bytes in either case, and counts back from itself.
    const std::uint64_t back = head.fixed<std::uint32_t>();
    if (!head.ok()) continue;
    if (back == 0) read_common(start, entry.substr(4));
    else if (back <= entry_at) read_function(entry_at + 4, entry_at - back, entry.substr(4));
  }
}

/// Here the field is as wide as the format says, counts from the beginning of the section, and is all ones in what functions have in common.
void CallFrames::read_debug_frame() {
  ByteReader in(bytes_);
  while (!in.at_end()) {
    const std::uint64_t start = in.position();
    std::uint64_t length = in.fixed<std::uint32_t>();
    const bool is_wide = length == 0xffffffff;
    if (is_wide) length = in.fixed<std::uint64_t>();
    const std::uint64_t entry_at = in.position();
    const std::string_view entry = in.take(length);
    if (!in.ok()) return;
    ByteReader head(entry);
    const std::uint64_t common = is_wide ? head.fixed<std::uint64_t>() : head.fixed<std::uint32_t>();
    if (!head.ok()) continue;
    const std::string_view rest = entry.substr(head.position());
    if (common == (is_wide ? ~std::uint64_t{0} : 0xffffffff)) read_common(start, rest);
    else read_function(entry_at + head.position(), common, rest);
  }
  // What the linker has thrown away is described at 0.
  std::erase_if(functions_, [](const Function& function) { return function.start == 0; });
}

void CallFrames::read_common(std::uint64_t offset, std::string_view entry) {
  ByteReader in(entry);
  Common common;
  common.offset = offset;
  const std::uint8_t version = in.byte();
  std::string_view augmentation = in.text();
  if (version != 1 && version != 3 && version != 4) return;
  if (version == 4 && (in.byte() != 8 || in.byte() != 0)) return;   // sizes of an address, of a segment selector
  common.code_align = in.unsigned_leb();
  common.data_align = in.signed_leb();
  const std::uint64_t return_column = version == 1 ? in.byte() : in.unsigned_leb();
  if (!in.ok() || return_column != kReturnAddress) return;
  if (augmentation.starts_with('z')) {
    common.has_augmentation = true;
    ByteReader data(in.take(in.unsigned_leb()));
    for (const char letter : augmentation.substr(1)) {
      if (letter == 'R') common.encoding = data.byte();
      else if (letter == 'S') common.is_signal = true;
      else if (letter == 'L') data.byte();
      else if (letter != 'P') break;   // what it means for the data is not known
      else if (const std::uint8_t encoding = data.byte(); encoding != kOmitted && !read_encoded(data, encoding)) break;
    }
    if (!data.ok()) return;
  } else if (!augmentation.empty()) {
    return;
  }
  const bool usable = (common.encoding & kIndirect) == 0 && (common.encoding & 0x70) <= kPcRelative;
  if (!in.ok() || !usable) return;
  Interpreter interpreter(common, {}, remembered_, bytes_, address_);
  const bool whole = interpreter.run(in.take(in.left()), 0, [](std::uint64_t) { return true; });
  common.initial = whole ? interpreter.state() : State{};
  commons_.push_back(common);
}

void CallFrames::read_function(std::uint64_t offset, std::uint64_t common_offset, std::string_view entry) {
  // Almost always that of the function before.
  std::uint32_t index = functions_.empty() ? 0 : functions_.back().common;
  if (index >= commons_.size() || commons_[index].offset != common_offset) {
    const auto place = std::lower_bound(commons_.begin(), commons_.end(), common_offset, [](const Common& c, std::uint64_t o) { return c.offset < o; });
    if (place == commons_.end() || place->offset != common_offset) return;
    index = static_cast<std::uint32_t>(place - commons_.begin());
  }
  const Common& common = commons_[index];
  ByteReader in(entry);
  const auto start = read_encoded(in, common.encoding);
  const auto length = read_encoded(in, common.encoding & 0x0f);   // a size: relative to nothing
  if (!start || !length) return;
  Function function;
  function.common = index;
  function.start = *start + ((common.encoding & 0x70) == kPcRelative ? address_ + offset : 0);
  function.end = function.start + *length;
  if (common.has_augmentation) in.take(in.unsigned_leb());
  function.program = in.take(in.left());
  if (in.ok() && function.start < function.end) functions_.push_back(function);
}

void CallFrames::append_rows(const Function& function, std::vector<FrameRow>& rows) {
  const Common& common = commons_[function.common];
  Interpreter interpreter(common, common.initial, remembered_, bytes_, address_);
  std::uint64_t from = function.start;
  const bool whole = interpreter.run(function.program, function.start, [&](std::uint64_t next) {
    rows.push_back({from, rule_of(interpreter.state(), common)});
    from = next;
    return next < function.end;
  });
  if (from < function.end) rows.push_back({from, whole ? rule_of(interpreter.state(), common) : TRC_UW_RULE(TRC_UW_OTHER, 0, 0, 0, 0)});
}

}  // namespace trc::symbols
