file(GLOB demo_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/demo/*.c)
add_executable(vpsie-demo ${demo_sources})
target_link_libraries(vpsie-demo PRIVATE vpsie_options stage)
add_dependencies(vpsie-demo vpsie-coordinator vpsie-agent)
