# The manifests against the programs: quick, needs nothing but what the build needs. tests/manifests/run renders and validates.
add_executable(manifests_agree tests/manifests/test_manifests.c tests/manifests/objects.c)
target_link_libraries(manifests_agree PRIVATE vpsie_options kube dep::cmocka)
target_compile_definitions(manifests_agree PRIVATE VPSIE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
  VPSIE_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
add_dependencies(manifests_agree vpsie-coordinator vpsie-agent)
add_test(NAME manifests_agree COMMAND manifests_agree)
set_tests_properties(manifests_agree PROPERTIES TIMEOUT 120 LABELS unit)

# A whole installation on a real control plane. tests/manifests/run_cluster builds one; without it the test says so and is skipped.
file(GLOB cluster_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/manifests/cluster/*.c)
add_executable(manifests_cluster ${cluster_sources} tests/manifests/objects.c)
target_link_libraries(manifests_cluster PRIVATE vpsie_options stage kube dep::cmocka)
target_compile_definitions(manifests_cluster PRIVATE VPSIE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
  VPSIE_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
add_dependencies(manifests_cluster vpsie-coordinator vpsie-agent)
add_test(NAME manifests_cluster COMMAND manifests_cluster)
set_tests_properties(manifests_cluster PROPERTIES TIMEOUT 1200 LABELS e2e RUN_SERIAL TRUE SKIP_RETURN_CODE 77)
