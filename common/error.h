// What this room is for: errors as values. A function that can fail returns < 0 (or NULL, or false) and fills
// the caller's struct error; each caller may put context in front of it. What it knows: text only. What it
// may not do: log, abort, allocate.
#ifndef VPSIE_COMMON_ERROR_H
#define VPSIE_COMMON_ERROR_H

#define ERROR_TEXT_BYTES_MAX 512

struct error {
    int code;                        // errno, HTTP status or 0: whatever the function that set it documents
    char text[ERROR_TEXT_BYTES_MAX]; // always terminated; empty when there is no error
};

// Fill `error` (may be NULL: then nothing is kept). Always returns -1, so `return error_set(...)` reads well.
// Text that does not fit is cut at a UTF-8 boundary.
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Put "context: " in front of what is there. Always returns -1. Keeps the code.
int error_wrap(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

void error_clear(struct error *error);

#endif
