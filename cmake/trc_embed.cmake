# trc_embed(TARGET SYMBOL FILE): makes FILE's bytes available in TARGET as
#   extern const char SYMBOL[]; extern const char SYMBOL_end[];
# through the assembler's .incbin, so large files cost no compile time.
function(trc_embed target symbol file)
  set(asm ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.S)
  file(WRITE ${asm}.tmp
"    .section .rodata
    .balign 8
    .globl ${symbol}
    .globl ${symbol}_end
${symbol}:
    .incbin \"${file}\"
${symbol}_end:
    .byte 0
    .section .note.GNU-stack,\"\",@progbits
")
  file(COPY_FILE ${asm}.tmp ${asm} ONLY_IF_DIFFERENT)
  set_source_files_properties(${asm} PROPERTIES OBJECT_DEPENDS ${file} LANGUAGE C)
  target_sources(${target} PRIVATE ${asm})
endfunction()
