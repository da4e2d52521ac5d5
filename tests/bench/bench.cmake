# Programs that measure. Not tests: machines are shared and noisy; what a bench prints is quoted, never asserted.
foreach(bench pending:stage fleet:fleet\;testsupport model:schedule)
  string(REPLACE ":" ";" parts "${bench}")
  list(POP_FRONT parts name)
  if(EXISTS ${CMAKE_SOURCE_DIR}/tests/bench/bench_${name}.c)
    add_executable(bench-${name} tests/bench/bench_${name}.c)
    target_link_libraries(bench-${name} PRIVATE vpsie_options ${parts})
  endif()
endforeach()
