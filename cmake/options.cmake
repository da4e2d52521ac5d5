# Compiler settings shared by all of our own code (generated code is exempt from the warnings).
add_library(vpsie_options INTERFACE)
target_include_directories(vpsie_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(vpsie_options INTERFACE _GNU_SOURCE)
target_compile_options(vpsie_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
  -fno-common -fstack-protector-strong)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(vpsie_options INTERFACE -D_FORTIFY_SOURCE=2)
endif()
# Each program loads only the libraries that it uses: the agent must stay small.
target_link_options(vpsie_options INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)
# A static program carries only what it uses, and nothing in it tells where it was built. What a newer compiler warns of
# does not stop an image: the tests' builds are strict.
if(VPSIE_STATIC)
  target_compile_options(vpsie_options INTERFACE -Wno-error -fPIE -ffunction-sections -fdata-sections
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=build)
  # Relative relocations of a position-independent program, packed: half a megabyte of the coordinator's 8.
  target_link_options(vpsie_options INTERFACE -Wl,--gc-sections -Wl,-z,noexecstack -Wl,-z,pack-relative-relocs)
endif()
# Instrumented code hides value ranges from gcc, which then warns of numbers that cannot be.
if(VPSIE_SANITIZE)
  target_compile_options(vpsie_options INTERFACE -Wno-format-truncation)
  target_compile_options(vpsie_options INTERFACE -fsanitize=${VPSIE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(vpsie_options INTERFACE -fsanitize=${VPSIE_SANITIZE})
endif()
if(VPSIE_COVERAGE)
  target_compile_options(vpsie_options INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(vpsie_options INTERFACE --coverage)
endif()

find_package(Git QUIET)
if(VPSIE_COMMIT STREQUAL "" AND GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --short=12 HEAD WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    OUTPUT_VARIABLE VPSIE_COMMIT_FOUND OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${GIT_EXECUTABLE} log -1 --format=%ct WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    OUTPUT_VARIABLE VPSIE_COMMIT_TIME OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
else()
  set(VPSIE_COMMIT_FOUND "${VPSIE_COMMIT}")
endif()
if(NOT VPSIE_COMMIT_FOUND)
  set(VPSIE_COMMIT_FOUND unknown)
endif()
# A build of one commit is the same build whenever it runs: the date is the commit's, not the clock's.
if(VPSIE_BUILD_DATE STREQUAL "")
  if(DEFINED ENV{SOURCE_DATE_EPOCH})
    set(VPSIE_COMMIT_TIME $ENV{SOURCE_DATE_EPOCH})
  endif()
  if(VPSIE_COMMIT_TIME)
    execute_process(COMMAND date -u -d @${VPSIE_COMMIT_TIME} +%Y-%m-%dT%H:%M:%SZ
      OUTPUT_VARIABLE VPSIE_BUILD_DATE_FOUND OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
else()
  set(VPSIE_BUILD_DATE_FOUND "${VPSIE_BUILD_DATE}")
endif()
if(NOT VPSIE_BUILD_DATE_FOUND)
  set(VPSIE_BUILD_DATE_FOUND unknown)
endif()
set_source_files_properties(common/version.c PROPERTIES COMPILE_DEFINITIONS
  "VPSIE_VERSION=\"${VPSIE_VERSION}\";VPSIE_COMMIT=\"${VPSIE_COMMIT_FOUND}\";VPSIE_BUILD_DATE=\"${VPSIE_BUILD_DATE_FOUND}\"")
