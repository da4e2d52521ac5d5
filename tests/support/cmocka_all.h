// What this room is for: cmocka with what it wants before it, in that order.
#ifndef VPSIE_TESTS_SUPPORT_CMOCKA_ALL_H
#define VPSIE_TESTS_SUPPORT_CMOCKA_ALL_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#endif
