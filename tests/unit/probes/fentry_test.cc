#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "fake_facts.h"
#include "probes/provider.h"
#include "unit/btf_builder.h"

namespace trc::probes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Programs that trc would make, or what it says instead.
struct Answer {
  std::vector<std::string> names, bound_to;
  std::vector<ContextGroup> groups;
  std::string error, hint;
};

class Fentry : public testing::Test {
 protected:
  Fentry() {
    facts.functions = kernel::KernelFunctions::parse(
        "ffffffff81000100 t vfs_read\n"
        "ffffffff81000200 t vfs_write\n"
        "ffffffff81000300 t vfs_untyped\n"
        "ffffffff81000400 t vfs_notrace\n"
        "ffffffff81000500 t vfs_many\n"
        "ffffffff81000600 t vfs_by_value\n"
        "ffffffff81000700 t vfs_variadic\n"
        "ffffffff81000800 t alias\n"
        "ffffffff81000800 t vfs_other_name\n"
        "ffffffff81000900 t two_places\n"
        "ffffffff81000a00 t _raw_spin_lock\n"
        "ffffffff81000b00 t same\n"
        "ffffffff81000c00 t same\n"
        "ffffffff810000f0 t __pfx_vfs_read\n"
        "ffffffffc0000000 t two_places\t[ext4]\n"
        "ffffffffc0000100 t ext4_only\t[ext4]\n",
        "vfs_read\nvfs_write\nvfs_untyped\nvfs_many\nvfs_by_value\nvfs_variadic\nalias\ntwo_places\n_raw_spin_lock\nsame\n"
        "two_places [ext4]\next4_only [ext4]\n",
        "");
    BtfBuilder builder;
    builder.integer("int", 4, BTF_INT_SIGNED)                                                                    // 1
        .structure("file", BTF_KIND_STRUCT, {{"f_mode", 1, 0}}, false, 64)                                       // 2
        .type("", BTF_KIND_PTR, 0, 2, 0)                                                                         // 3
        .prototype(1, {{"file", 3}, {"count", 1}})                                                               // 4
        .type("vfs_read", BTF_KIND_FUNC, 0, 4, 0)                                                                // 5
        .prototype(0, {})                                                                                        // 6
        .type("vfs_write", BTF_KIND_FUNC, 0, 6, 0)                                                               // 7
        .type("vfs_notrace", BTF_KIND_FUNC, 0, 6, 0)                                                             // 8
        .prototype(0, {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}, {"f", 1}, {"g", 1}})                    // 9
        .type("vfs_many", BTF_KIND_FUNC, 0, 9, 0)                                                                // 10
        .type("file_t", BTF_KIND_TYPEDEF, 0, 2, 0)                                                               // 11
        .prototype(0, {{"whole", 11}})                                                                           // 12
        .type("vfs_by_value", BTF_KIND_FUNC, 0, 12, 0)                                                           // 13
        .prototype(0, {{"format", 3}, {"", 0}})                                                                  // 14
        .type("vfs_variadic", BTF_KIND_FUNC, 0, 14, 0)                                                           // 15
        .type("vfs_other_name", BTF_KIND_FUNC, 0, 4, 0)                                                               // 16
        .type("two_places", BTF_KIND_FUNC, 0, 6, 0)                                                              // 17
        .type("_raw_spin_lock", BTF_KIND_FUNC, 0, 6, 0)                                                          // 18
        .type("same", BTF_KIND_FUNC, 0, 6, 0);                                                                   // 19
    const std::string vmlinux = builder.bytes();
    btf_header header;
    std::memcpy(&header, vmlinux.data(), sizeof header);
    facts.add_btf("vmlinux", vmlinux);
    facts.add_btf("ext4", BtfBuilder(header.str_len).type("ext4_only", BTF_KIND_FUNC, 0, 4, 0).type("two_places", BTF_KIND_FUNC, 0, 4, 0).bytes());
    facts.programs = {{7, "probe_0"}, {7, "helper"}, {9, "probe_0"}, {11, "tracer", false}};
  }

  Answer ask(std::string_view text) {
    Answer answer;
    auto parsed = parse_attach_point(text, {});
    auto groups = parsed ? parsed->provider->contexts(parsed->target, facts, {}, true) : Result<std::vector<ContextGroup>>(parsed.error());
    if (!groups) {
      answer.error = groups.error().message();
      answer.hint = groups.error().hint();
      return answer;
    }
    answer.groups = std::move(*groups);
    for (const ContextGroup& group : answer.groups) {
      answer.names.push_back(group.targets.at(0).text);
      answer.bound_to.push_back(group.context.bound_to);
    }
    return answer;
  }

  FakeFacts facts;
};

TEST_F(Fentry, HasTheArgumentsOfItsFunction) {
  const Answer entry = ask("fentry:vfs_read");
  ASSERT_THAT(entry.names, ElementsAre("fentry:vmlinux:vfs_read")) << entry.error;
  EXPECT_THAT(entry.bound_to, ElementsAre("vmlinux:vfs_read"));
  const lang::Context& context = entry.groups[0].context;
  EXPECT_EQ(context.kind, lang::ProgramKind::FunctionEntry);
  ASSERT_EQ(context.named.size(), 2u);
  EXPECT_EQ(lang::type_name(context.named[0].type), "struct file *");
  EXPECT_EQ(context.named[1].name, "count");
  EXPECT_FALSE(context.return_value.has_value());
}

TEST_F(Fentry, ExitHasTheResultToo) {
  const Answer exit = ask("kretfunc:vfs_read");
  ASSERT_THAT(exit.names, ElementsAre("fexit:vmlinux:vfs_read")) << exit.error;
  EXPECT_EQ(exit.groups[0].context.named.size(), 2u);
  ASSERT_TRUE(exit.groups[0].context.return_value.has_value());
  EXPECT_EQ(exit.groups[0].context.return_value->type, lang::make_integer(32, true));
  EXPECT_FALSE(ask("fexit:vfs_write").groups.at(0).context.return_value.has_value());   // void
}

TEST_F(Fentry, AWildcardPassesOverWhatCannotBeTraced) {
  const Answer answer = ask("fentry:vfs_*");
  EXPECT_THAT(answer.names, ElementsAre("fentry:vmlinux:vfs_read", "fentry:vmlinux:vfs_write", "fentry:vmlinux:vfs_other_name"));
  EXPECT_EQ(answer.groups.at(0).note, "fentry:vfs_*: 5 functions cannot be probed and were passed over");
  EXPECT_EQ(ask("fentry:vfs_r*").groups.at(0).note, "");
  EXPECT_EQ(ask("fentry:nothing*").error, "No matches for fentry:nothing*");
}

TEST_F(Fentry, RefusalsAreToldApart) {
  EXPECT_THAT(ask("fentry:vfs_raed").error, HasSubstr("no such function in this kernel"));
  EXPECT_EQ(ask("fentry:vfs_raed").hint, "did you mean vfs_read?");
  EXPECT_THAT(ask("fentry:vfs_untyped").error, HasSubstr("type information (BTF) has no function vfs_untyped"));
  EXPECT_EQ(ask("fexit:vfs_untyped").hint, "kretprobe:vfs_untyped needs no types");
  EXPECT_THAT(ask("fentry:vfs_notrace").error, HasSubstr("notrace"));
  EXPECT_THAT(ask("fentry:vfs_many").error, HasSubstr("it takes 7 arguments"));
  EXPECT_THAT(ask("fentry:vfs_by_value").error, HasSubstr("its argument whole is a structure passed by value"));
  EXPECT_THAT(ask("fentry:vfs_variadic").error, HasSubstr("variable number of arguments"));
  EXPECT_THAT(ask("fentry:_raw_spin_lock").error, HasSubstr("can hang the machine"));
  EXPECT_THAT(ask("fentry:vfs_read+4").error, HasSubstr("takes no offset"));
  EXPECT_EQ(ask("fentry:a:b:c").error, "fentry probe type requires 1 or 2 arguments, found 3");
  EXPECT_EQ(ask("fexit:same").hint, "write kretprobe:0xffffffff81000b00 or kretprobe:0xffffffff81000c00 (with --unsafe)");
}

TEST_F(Fentry, ModulesTellFunctionsApart) {
  EXPECT_THAT(ask("fentry:ext4_only").bound_to, ElementsAre("ext4:ext4_only"));
  EXPECT_THAT(ask("fentry:ext4:ext4_*").names, ElementsAre("fentry:ext4:ext4_only"));
  EXPECT_EQ(ask("fentry:two_places").hint, "write fentry:vmlinux:two_places or fentry:ext4:two_places");
  EXPECT_THAT(ask("fentry:vmlinux:two_places").bound_to, ElementsAre("vmlinux:two_places"));
  EXPECT_THAT(ask("fentry:ext4:two_places").error, HasSubstr("the kernel itself has types of another function of this name"));
}

TEST_F(Fentry, OneNameOfAFunctionHasTheTypes) {
  const Answer answer = ask("fentry:alias");
  ASSERT_THAT(answer.names, ElementsAre("fentry:vmlinux:alias")) << answer.error;
  EXPECT_THAT(answer.bound_to, ElementsAre("vmlinux:vfs_other_name"));
}

TEST_F(Fentry, AKernelThatCannotNamesTheWayOut) {
  facts.lacks = {kernel::Feature::Trampolines};
  EXPECT_THAT(ask("fentry:vfs_read").error, HasSubstr("this kernel cannot attach it"));
  EXPECT_EQ(ask("fexit:vfs_read").hint, "kretprobe:vfs_read probes the same function, without types");
  facts.lacks = {kernel::Feature::Trampolines, kernel::Feature::Kprobe};
  EXPECT_THAT(ask("fentry:vfs_read").hint, HasSubstr("tracepoint"));
  EXPECT_THAT(ask("fentry:bpf:helper").names, ElementsAre("fentry:bpf:7:helper"));   // this needs none of it
}

TEST_F(Fentry, FunctionsOfBpfPrograms) {
  EXPECT_THAT(ask("fentry:bpf:probe_0").names, ElementsAre("fentry:bpf:7:probe_0", "fentry:bpf:9:probe_0"));
  EXPECT_THAT(ask("fexit:bpf:9:probe_*").bound_to, ElementsAre("bpf:9:probe_0"));
  EXPECT_THAT(ask("fentry:bpf:*:helper").names, ElementsAre("fentry:bpf:7:helper"));
  EXPECT_EQ(ask("fentry:bpf:*").groups.at(0).note, "fentry:bpf:*: 1 function cannot be probed and was passed over");
  EXPECT_EQ(ask("fentry:bpf:helpr").hint, "did you mean helper?");
  EXPECT_THAT(ask("fentry:bpf:tracer").error, HasSubstr("traces functions itself"));
  EXPECT_THAT(ask("fentry:bpf:x1:helper").error, HasSubstr("'x1' is no id of a BPF program"));
}

TEST_F(Fentry, IsListedWithItsTypes) {
  const auto names = list_probes("fentry:*", facts, {});
  ASSERT_TRUE(names.has_value());
  EXPECT_THAT(*names, ElementsAre("fentry:ext4:ext4_only", "fentry:vmlinux:same", "fentry:vmlinux:two_places",
                                  "fentry:vmlinux:vfs_other_name", "fentry:vmlinux:vfs_read", "fentry:vmlinux:vfs_write"));
  const auto one = parse_attach_point("fexit:vmlinux:vfs_read", {});
  EXPECT_THAT(one->provider->describe(one->target, facts, {}), ElementsAre("struct file * file", "int32 count", "int32 retval"));
}

TEST(Iterator, KindsAreWhatTheKernelHas) {
  FakeFacts facts;
  facts.add_btf("vmlinux", BtfBuilder()
                               .integer("int", 4, BTF_INT_SIGNED)                                          // 1
                               .structure("task_struct", BTF_KIND_STRUCT, {{"pid", 1, 0}}, false, 64)      // 2
                               .type("", BTF_KIND_PTR, 0, 2, 0)                                            // 3
                               .structure("", BTF_KIND_UNION, {{"task", 3, 0}}, false, 8)                  // 4
                               .structure("bpf_iter__task", BTF_KIND_STRUCT, {{"", 4, 64}, {"fd", 1, 128}}, false, 24)   // 5
                               .structure("bpf_iter__not_one", BTF_KIND_STRUCT, {{"", 4, 64}}, false, 16)
                               .prototype(1, {})                                                           // 7
                               .type("bpf_iter_task", BTF_KIND_FUNC, 0, 7, 0)
                               .bytes());
  const auto names = list_probes("iter:*", facts, {});
  ASSERT_TRUE(names.has_value());
  EXPECT_THAT(*names, ElementsAre("iter:task"));

  const auto ask = [&](std::string_view text) {
    auto parsed = parse_attach_point(text, {});
    return parsed ? parsed->provider->contexts(parsed->target, facts, {}, true) : Result<std::vector<ContextGroup>>(parsed.error());
  };
  const auto task = ask("it:task");
  ASSERT_TRUE(task.has_value()) << task.error().message();
  const lang::Context& context = task->at(0).context;
  EXPECT_EQ(context.bound_to, "task");
  ASSERT_EQ(context.ctx_members.size(), 2u);
  EXPECT_EQ(lang::type_name(context.ctx_members[0].type), "struct task_struct *");
  EXPECT_EQ(std::get<lang::ContextSource>(context.ctx_members[0].source).offset, 8u);
  EXPECT_EQ(std::get<lang::ContextSource>(context.ctx_members[1].source).offset, 16u);
  EXPECT_FALSE(context.prints_to_file);
  EXPECT_TRUE(ask("iter:task:file")->at(0).context.prints_to_file);
  EXPECT_EQ(ask("iter:tsak").error().hint(), "did you mean task?");
  EXPECT_THAT(ask("iter:bpf_map_elem").error().message(), HasSubstr("the elements of one map"));
  EXPECT_EQ(ask("iter:task*").error().message(), "iter probes take no wildcard");
  EXPECT_THAT(ask("iter:task:").error().message(), HasSubstr("file name"));
}

TEST(Iterator, IsPinnedBelowTheUsualFolder) {
  const auto how = [](std::string_view text, const Scope& scope) {
    const auto parsed = parse_attach_point(text, scope);
    return std::get<IteratorAttach>(parsed->provider->expand(parsed->target, FakeFacts(), scope)->specs.at(0).how);
  };
  EXPECT_EQ(how("iter:task:tasks", {}).pin, "/sys/fs/bpf/tasks");
  EXPECT_EQ(how("iter:task:\"/mnt/bpf/tasks\"", {}).pin, "/mnt/bpf/tasks");
  EXPECT_EQ(how("iter:task_vma", {.pid = 5}).pid, 5);
  EXPECT_EQ(how("iter:tcp", {.pid = 5}).pid, -1);   // knows no processes
}

}  // namespace
}  // namespace trc::probes
