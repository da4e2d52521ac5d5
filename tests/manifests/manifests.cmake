# The manifests against the programs: quick, needs nothing but what the build needs. tests/manifests/run renders and validates.
add_executable(manifests_agree tests/manifests/test_manifests.c tests/manifests/objects.c)
target_link_libraries(manifests_agree PRIVATE vpsie_options kube dep::cmocka)
target_compile_definitions(manifests_agree PRIVATE VPSIE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
  VPSIE_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
add_dependencies(manifests_agree vpsie-coordinator vpsie-agent)
add_test(NAME manifests_agree COMMAND manifests_agree)
set_tests_properties(manifests_agree PROPERTIES TIMEOUT 120 LABELS unit)

# Whole lives on a real control plane. tests/manifests/run_cluster builds one; without it the tests say so and are skipped.
set(cluster_shared tests/manifests/objects.c)
foreach(file cluster kubelets programs service story)
  list(APPEND cluster_shared tests/manifests/cluster/${file}.c)
endforeach()
foreach(story install migrate)
  add_executable(cluster_${story} tests/manifests/cluster/test_${story}.c ${cluster_shared})
  target_link_libraries(cluster_${story} PRIVATE vpsie_options stage kube dep::cmocka)
  target_compile_definitions(cluster_${story} PRIVATE VPSIE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    VPSIE_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  add_dependencies(cluster_${story} vpsie-coordinator vpsie-agent)
  add_test(NAME cluster_${story} COMMAND cluster_${story})
  set_tests_properties(cluster_${story} PROPERTIES TIMEOUT 1200 LABELS e2e RUN_SERIAL TRUE SKIP_RETURN_CODE 77)
endforeach()
