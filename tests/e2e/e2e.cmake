# The real programs against the real servers. One at a time: each is a small cluster of processes.
set(e2e_shared tests/e2e/e2e.c)
foreach(story scale kill leaders faults strangers install)
  add_executable(e2e_${story} tests/e2e/test_${story}.c ${e2e_shared})
  target_link_libraries(e2e_${story} PRIVATE vpsie_options stage dep::cmocka)
  add_dependencies(e2e_${story} vpsie-coordinator vpsie-agent)
  add_test(NAME e2e_${story} COMMAND e2e_${story})
  set_tests_properties(e2e_${story} PROPERTIES TIMEOUT 900 LABELS e2e RUN_SERIAL TRUE)
endforeach()
target_link_libraries(e2e_install PRIVATE kube) # the table of permissions
