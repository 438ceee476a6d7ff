#include <gtest/gtest.h>

#include <cstring>

#include "image/header.h"
#include "image/program_image.h"

namespace trc::image {
namespace {

ProgramImage sample() {
  ProgramImage image;
  image.object = std::string("\x7f" "ELF and so on, with a \0 in it", 30);
  MapEntry map;
  map.name = "at_x";
  map.script_name = "@x";
  map.role = MapRole::User;
  map.bpf_type = 1;
  map.key_size = 24;
  map.value_size = 8;
  map.max_entries = 4096;
  map.has_key = true;
  map.key = lang::make_tuple({lang::make_integer(32, true), lang::make_string(16)});
  map.value = lang::make_int64();
  image.maps.push_back(map);
  image.programs.push_back({"probe_0", lang::ProgramKind::UserProbe, true, false, {0, 0, 5}});
  image.probes.push_back({"uprobe", "uprobe:/bin/sh:main", 0, {0, 0, 5}});
  lang::EventSchema event;
  event.text = "%s %d\n";
  event.fields = {{lang::make_string(8), 0}, {lang::make_array(lang::make_integer(16, false), 3), 0}};
  event.map = 0;
  lang::lay_out(event);
  image.events.push_back(event);
  image.constants.push_back({2, "trc_cpu_count", 8});
  image.kernel_fields.push_back({"trc_at_task_mm", "task_struct.mm", 0});
  image.sources.push_back({"x.trc", "begin { exit() }"});
  image.helpers = {1, 2, 131};
  image.settings.stack_mode = "perf";
  image.frozen_offset = 0;
  return image;
}

/// Puts right what the header says about the rest, as someone with intent would.
std::string resealed(std::string bytes) {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.size = bytes.size();
  header.checksum = checksum(std::string_view(bytes).substr(sizeof header));
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

std::string message(const std::string& bytes) {
  auto loaded = load(bytes);
  return loaded ? "loaded" : loaded.error().message();
}

TEST(SaveLoad, RoundTrip) {
  const std::string bytes = save(sample());
  auto loaded = load(bytes);
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(save(*loaded), bytes);
  EXPECT_EQ(loaded->object, sample().object);
  EXPECT_TRUE(loaded->maps[0].key == sample().maps[0].key);
  EXPECT_EQ(loaded->settings.stack_mode, "perf");
  EXPECT_EQ(loaded->frozen_offset, 0u);
}

TEST(SaveLoad, RefusesWhatIsNoImage) {
  EXPECT_EQ(message(""), "this is not a trc image");
  EXPECT_EQ(message("#!/usr/bin/trc\nbegin {}"), "this is not a trc image");
}

TEST(SaveLoad, EveryTruncationIsRefused) {
  const std::string bytes = save(sample());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_NE(message(bytes.substr(0, n)), "loaded") << n;
    if (n < sizeof(Header)) continue;
    EXPECT_NE(message(resealed(bytes.substr(0, n))), "loaded") << "with a fitting header: " << n;
  }
  EXPECT_NE(message(bytes + "x"), "loaded");
  EXPECT_NE(message(resealed(bytes + "x")), "loaded");
}

TEST(SaveLoad, EveryFlippedByteIsFound) {
  const std::string bytes = save(sample());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[n] = static_cast<char>(changed[n] ^ flip);
      EXPECT_NE(message(changed), "loaded") << n;
    }
  }
}

// A checksum that fits: the file may load or not, but it must not do harm (run with the sanitizers).
TEST(SaveLoad, EveryFlippedByteWithAFittingChecksumIsHarmless) {
  const std::string bytes = save(sample());
  std::size_t refused = 0;
  for (std::size_t n = sizeof(Header); n < bytes.size(); ++n) {
    for (const int flip : {0x01, 0x02, 0x40, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[n] = static_cast<char>(changed[n] ^ flip);
      if (auto loaded = load(resealed(changed)); loaded) {
        EXPECT_FALSE(save(*loaded).empty());
      } else {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100u);
}

TEST(SaveLoad, SaysWhichVersionAndMachine) {
  std::string bytes = save(sample());
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  auto with = [&](auto change) {
    Header changed = header;
    change(changed);
    std::string copy = bytes;
    std::memcpy(copy.data(), &changed, sizeof changed);
    return message(copy);
  };
  EXPECT_EQ(with([](Header& h) { h.version = 99; }), "the image was made by another version of trc (image format 99, this trc reads " +
                                                          std::to_string(kFormatVersion) + ")");
  EXPECT_EQ(with([](Header& h) { h.fingerprint ^= 1; }).substr(0, 44), "the image was made by another version of trc");
  EXPECT_NE(with([](Header& h) { h.machine = 183 + 62 - h.machine; }).find("and this machine is"), std::string::npos);
  EXPECT_NE(with([](Header& h) { h.big_endian ^= 1; }).find("endian"), std::string::npos);
  EXPECT_EQ(with([](Header& h) { h.checksum ^= 1; }), "the image is damaged: its checksum is wrong");
}

TEST(SaveLoad, HugeCountsDoNotAllocate) {
  ProgramImage image = sample();
  std::string bytes = save(image);
  const std::uint32_t huge = 0xfffffff0;
  std::memcpy(bytes.data() + sizeof(Header), &huge, 4);   // length of the object
  EXPECT_EQ(message(resealed(bytes)), "the image is damaged: a count in it is larger than the file");
}

TEST(SaveLoad, DeepTypesAreRefused) {
  ProgramImage image = sample();
  lang::Type deep = lang::make_int64();
  for (int i = 0; i < 100; ++i) deep = lang::make_pointer(deep, lang::AddressSpace::User);
  image.maps[0].value = deep;
  EXPECT_EQ(message(save(image)), "the image is damaged: a type in it is nested too deep");
}

TEST(SaveLoad, RefusesReferencesToNothing) {
  auto after = [](auto change) {
    ProgramImage image = sample();
    change(image);
    return message(save(image));
  };
  EXPECT_EQ(after([](ProgramImage& i) { i.probes[0].program = 1; }), "the image is damaged: it has an attach point without a program");
  EXPECT_EQ(after([](ProgramImage& i) { i.events[0].map = 7; }), "the image is damaged: it has an event for a map that is not there");
  EXPECT_EQ(after([](ProgramImage& i) { i.events[0].fields[1].offset = i.events[0].size; }), "the image is damaged: it has a field outside its event record");
  EXPECT_EQ(after([](ProgramImage& i) { i.events[0].fields[1].type.fields.clear(); }), "the image is damaged: it has an array or pointer without an element");
  EXPECT_EQ(after([](ProgramImage& i) { i.maps[0].presence_offset = 4; }), "the image is damaged: it has a map whose presence word is outside its value");
  EXPECT_EQ(after([](ProgramImage& i) { i.maps[0].key_size = 4; }), "the image is damaged: it has a map whose keys are smaller than their type");
  EXPECT_EQ(after([](ProgramImage& i) { i.programs[0].span.end = 1000; }), "the image is damaged: it has a place outside the script");
  EXPECT_EQ(after([](ProgramImage& i) { i.constants[0].offset = 1 << 20; }), "the image is damaged: it has a run-time constant outside the object");
  EXPECT_EQ(after([](ProgramImage& i) { i.kernel_fields[0].offset = 1 << 20; }), "the image is damaged: it has a kernel field outside the object");
}

}  // namespace
}  // namespace trc::image
