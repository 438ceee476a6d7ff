# trc_embed(TARGET SYMBOL FILE): makes FILE's bytes available in TARGET as
#   extern const char SYMBOL[]; extern const char SYMBOL_end[];
# through the assembler's .incbin, so large files cost no compile time. (In C rather than as an assembler file: the project has no ASM.)
function(trc_embed target symbol file)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  file(WRITE ${source}.tmp
"__asm__(\".section .rodata\\n\"
        \".balign 8\\n\"
        \".globl ${symbol}\\n\"
        \".globl ${symbol}_end\\n\"
        \"${symbol}:\\n\"
        \".incbin \\\"${file}\\\"\\n\"
        \"${symbol}_end:\\n\"
        \".byte 0\\n\"
        \".text\\n\");
")
  file(COPY_FILE ${source}.tmp ${source} ONLY_IF_DIFFERENT)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${file})
  target_sources(${target} PRIVATE ${source})
endfunction()
