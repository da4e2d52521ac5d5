# What tests need beyond one cmocka program a file: fuzzers, and the rooms that bring their own targets.

# vpsie_fuzz(name file corpus_dir links...): `file` defines LLVMFuzzerTestOneInput(). Builds fuzz_<name>, which runs
# the files of the corpus and then many mutations of them, the same ones each time (tests/fuzz/standalone_main.c).
# Does nothing while `file` does not exist. With clang, -DVPSIE_LIBFUZZER=ON builds libFuzzer's own programs instead.
option(VPSIE_LIBFUZZER "Build the fuzzers with libFuzzer (clang only)" OFF)
set(VPSIE_FUZZ_RUNS 20000 CACHE STRING "Mutations that each fuzzer runs as a test")
function(vpsie_fuzz name file corpus_dir)
  if(NOT EXISTS ${CMAKE_SOURCE_DIR}/${file} OR NOT EXISTS ${CMAKE_SOURCE_DIR}/tests/fuzz/standalone_main.c)
    return()
  endif()
  add_executable(fuzz_${name} ${file})
  target_link_libraries(fuzz_${name} PRIVATE vpsie_options ${ARGN})
  if(VPSIE_LIBFUZZER)
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    return()
  endif()
  target_sources(fuzz_${name} PRIVATE tests/fuzz/standalone_main.c)
  add_test(NAME fuzz_${name}
    COMMAND fuzz_${name} --seed 1 --runs ${VPSIE_FUZZ_RUNS} ${CMAKE_SOURCE_DIR}/${corpus_dir})
  set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 600 LABELS fuzz)
endfunction()

vpsie_fuzz(wire tests/fuzz/fuzz_wire.c tests/fuzz/corpus/wire common)
vpsie_fuzz(texts tests/fuzz/fuzz_texts.c tests/fuzz/corpus/texts common)
vpsie_fuzz(fleet tests/fuzz/fuzz_fleet.c tests/fuzz/corpus/fleet fleet)
vpsie_fuzz(agent_parsers tests/fuzz/fuzz_agent_parsers.c tests/fuzz/corpus/agent_parsers agentlib)
vpsie_fuzz(vpsie_answers tests/fuzz/fuzz_vpsie_answers.c tests/fuzz/corpus/vpsie_answers vpsie)
vpsie_fuzz(cron tests/fuzz/fuzz_cron.c tests/fuzz/corpus/cron decide)
vpsie_fuzz(quantity tests/fuzz/fuzz_quantity.c tests/fuzz/corpus/quantity model)
vpsie_fuzz(kube_decode tests/fuzz/fuzz_kube_decode.c tests/fuzz/corpus/kube_decode kube)
vpsie_fuzz(plan tests/fuzz/fuzz_plan.c tests/fuzz/corpus/plan plan)
vpsie_fuzz(kubeconfig tests/fuzz/fuzz_kubeconfig.c tests/fuzz/corpus/kubeconfig kube)
vpsie_fuzz(admin_request tests/fuzz/fuzz_admin_request.c tests/fuzz/corpus/admin_request admin)

# Its names are looked up as slowly as the test wants.
target_link_options(unit_agent_uplink_end PRIVATE -Wl,--wrap=getaddrinfo)

# A room tests/<room>/ that needs more says so in tests/<room>/<room>.cmake.
foreach(room fuzz e2e bench demo stage manifests images)
  include(${CMAKE_SOURCE_DIR}/tests/${room}/${room}.cmake OPTIONAL)
endforeach()
