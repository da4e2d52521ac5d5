# The agent runs on every node and must stay small. libmicrohttpd comes from its archive, and the TLS library that the
# archive asks for is stood in for (agent/without_tls.c): the agent serves plain HTTP. Where there is no archive, the
# shared library does as well, with 2 MiB more of resident memory.
find_library(MICROHTTPD_ARCHIVE NAMES libmicrohttpd.a)
if(MICROHTTPD_ARCHIVE AND CMAKE_NM)
  execute_process(COMMAND ${CMAKE_NM} --undefined-only --format=posix ${MICROHTTPD_ARCHIVE}
    OUTPUT_VARIABLE MICROHTTPD_SYMBOLS ERROR_QUIET)
  string(REGEX MATCHALL "(gnutls|gcry)_[a-z0-9_]+" MICROHTTPD_TLS_SYMBOLS "${MICROHTTPD_SYMBOLS}")
  list(REMOVE_DUPLICATES MICROHTTPD_TLS_SYMBOLS)
  target_sources(vpsie-agent PRIVATE agent/without_tls.c)
  foreach(symbol ${MICROHTTPD_TLS_SYMBOLS})
    target_link_options(vpsie-agent PRIVATE -Wl,--defsym=${symbol}=without_tls)
  endforeach()
  # In front of everything, so that the archive is what the program's calls are bound to.
  target_link_options(vpsie-agent PRIVATE -Wl,--undefined=MHD_start_daemon ${MICROHTTPD_ARCHIVE})
endif()
