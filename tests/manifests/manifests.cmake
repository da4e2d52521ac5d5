# The manifests against the programs: quick, needs nothing but what the build needs. tests/manifests/run renders and validates.
add_executable(manifests_agree tests/manifests/test_manifests.c tests/manifests/objects.c)
target_link_libraries(manifests_agree PRIVATE vpsie_options kube dep::cmocka)
target_compile_definitions(manifests_agree PRIVATE VPSIE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
  VPSIE_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
add_dependencies(manifests_agree vpsie-coordinator vpsie-agent)
add_test(NAME manifests_agree COMMAND manifests_agree)
set_tests_properties(manifests_agree PROPERTIES TIMEOUT 120 LABELS unit)
