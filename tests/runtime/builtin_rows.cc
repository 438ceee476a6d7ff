// Prints the rows of the builtins that say what their example prints, one JSON object a line, for examples_test.py.
#include <cstdio>
#include <string>

#include "base/json_writer.h"
#include "builtins/catalogue.h"

int main() {
  for (auto family : trc::builtins::catalogue().families()) {
    for (const trc::lang::BuiltinSpec& row : family) {
      if (row.prints.empty()) continue;
      std::string line;
      trc::JsonWriter json(line);
      json.begin_object().key("name").string(row.name).key("example").string(row.example).key("prints").string(row.prints);
      json.key("unsafe").boolean(!row.unsafe.empty()).end_object();
      std::puts(line.c_str());
    }
  }
}
