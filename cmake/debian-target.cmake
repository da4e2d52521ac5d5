# Toolchain file: compiles for the Debian architecture behind VPSIE_TARGET (x86_64-linux-gnu, aarch64-linux-gnu), on any
# machine whose architecture Debian has a cross compiler for. Libraries are looked for in VPSIE_PREFIX, where
# deploy/image/libraries puts what the distribution has no usable archive of, and then among the target's own packages.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES VPSIE_TARGET VPSIE_PREFIX)
if(NOT VPSIE_TARGET)
  message(FATAL_ERROR "say which architecture: -DVPSIE_TARGET=aarch64-linux-gnu")
endif()

cmake_host_system_information(RESULT VPSIE_HOST_PROCESSOR QUERY OS_PLATFORM)
string(REGEX MATCH "^[^-]+" VPSIE_TARGET_PROCESSOR ${VPSIE_TARGET})
if(NOT VPSIE_TARGET_PROCESSOR STREQUAL VPSIE_HOST_PROCESSOR)
  set(CMAKE_SYSTEM_NAME Linux)
  set(CMAKE_SYSTEM_PROCESSOR ${VPSIE_TARGET_PROCESSOR})
endif()
set(CMAKE_C_COMPILER ${VPSIE_TARGET}-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE ${VPSIE_TARGET})
set(CMAKE_EXE_LINKER_FLAGS_INIT -L${VPSIE_PREFIX}/lib) # before any -L of the target's packages

set(CMAKE_FIND_ROOT_PATH ${VPSIE_PREFIX} /)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR}
  ${VPSIE_PREFIX}/lib/pkgconfig:/usr/lib/${VPSIE_TARGET}/pkgconfig:/usr/share/pkgconfig)
