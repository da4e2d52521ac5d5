# The images are proven by tests/images/run, which takes too long for ctest; what pushes them is tested here.
add_test(NAME images_push COMMAND ${CMAKE_SOURCE_DIR}/tests/images/push)
