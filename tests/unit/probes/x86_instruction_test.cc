#include <gtest/gtest.h>

#include <string>

#include "probes/x86_instruction.h"

namespace trc::probes {
namespace {

std::string bytes(std::string_view hex) {
  std::string result;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) result += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return result;
}

TEST(X86Instruction, KnowsTheLengthOfEachForm) {
  // As objdump shows them; what follows must not matter.
  for (const std::string_view hex : {
           "55", "c3", "90", "f30f1efa", "4889e5", "4883ec08", "e800000000", "c20800", "c8100001", "b801000000", "66b80100", "48b80102030405060708",
           "488b05aabbccdd", "8b442408", "8b842480000000", "8b0425aabbccdd", "8b5d00", "c7042401000000", "66c704240100", "f6c301", "f6db", "f7c301000000",
           "f7db", "0f84aabbccdd", "0f1f440000", "660f1f840000000000", "0fba2c2401", "0f38f0c1", "660f3a0fc108", "c5f877", "c5f96fc0", "c4e27918c0",
           "c4e37d18c101", "62f17c4828c0", "62f3fd4803c101", "62f17c482844240a", "64488b042500000000", "a1aabbccddaabbccdd", "67a1aabbccdd",
           "6666488d3daabbccdd", "f0480fb10f", "f3a4", "2e660f1f840000000000", "0fc8", "0f05", "d9c0", "8f00", "68aabbccdd", "6a10", "69c0aabbccdd"}) {
    EXPECT_EQ(x86_instruction_length(bytes(hex) + std::string(15, '\xcc')), hex.size() / 2) << hex;
    EXPECT_EQ(x86_instruction_length(bytes(hex)), hex.size() / 2) << hex;
  }
}

TEST(X86Instruction, SaysSoWhenItDoesNotKnow) {
  for (const std::string_view hex : {"", "06", "60", "9a", "d4", "0f04", "8fe878c2ec0e", "66", "e80000", "488b", "c5", "62f17c", "666666666666666666666666666666"})
    EXPECT_EQ(x86_instruction_length(bytes(hex)), 0u) << hex;
}

}  // namespace
}  // namespace trc::probes
