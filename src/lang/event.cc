#include "lang/event.h"

namespace trc::lang {

void lay_out(EventSchema& schema) {
  std::uint32_t offset = kEventHeaderSize;
  for (EventField& field : schema.fields) {
    const std::uint32_t align = field.type.align;
    field.offset = (offset + align - 1) / align * align;
    offset = field.offset + field.type.size;
  }
  schema.size = (offset + 7) / 8 * 8;
}

}  // namespace trc::lang
