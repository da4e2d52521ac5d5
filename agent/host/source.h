// What this room is for: reading a host's files: small ones whole, long ones line by line, untrusted trees
// without leaving them. What it knows: descriptors and limits. What it may not do: keep a descriptor open
// after the call that closes it, follow a link out of a tree, or wait for a fifo.
#ifndef VPSIE_AGENT_HOST_SOURCE_H
#define VPSIE_AGENT_HOST_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

// Open a directory of the host tree (path relative to `dir`, or AT_FDCWD). Returns a descriptor, or -1 with
// error->code = errno.
int source_open_directory(int dir, const char *path, struct error *error);
// The same inside `root`, as if `root` were "/": links are followed, but never out of it. The kernel enforces
// it (openat2, Linux 5.6); where that call is missing no link is followed at all.
int source_open_inside(int root, const char *path, struct error *error);
void source_close(const int *fd); // a descriptor < 0 is fine
#define AUTOCLOSE __attribute__((cleanup(source_close)))

// Read a small file whole into buffer, always terminated. Returns its length, or -1 with error->code = errno
// (EFBIG: it does not fit in bytes - 1).
int source_read(int dir, const char *path, char *buffer, size_t bytes, struct error *error);
// A file that holds one number and nothing else.
int source_read_u64(int dir, const char *path, uint64_t *out, struct error *error);

// A file line by line in fixed memory. A line longer than the buffer comes cut, its rest is skipped and `cut`
// is set until the next line.
#define SOURCE_LINE_BYTES_MAX 4096
struct lines {
    int fd; // -1: from memory
    const char *memory;
    size_t memory_bytes;
    size_t begin, end;
    bool finished, cut, skipping;
    int failed; // errno of a read that failed part way: the file's owner vanished
    char buffer[SOURCE_LINE_BYTES_MAX];
};
int lines_open(struct lines *lines, int dir, const char *path, struct error *error);
void lines_from_memory(struct lines *lines, const char *bytes, size_t length);
// The next line, terminated, without its newline; valid until the next call. NULL at the end, or when reading
// failed (lines->failed).
char *lines_next(struct lines *lines);
void lines_close(struct lines *lines);
#define AUTOLINES __attribute__((cleanup(lines_close)))

// The entries of an open directory, without "." and "..", in fixed memory (opendir(3) takes 32 KiB a
// directory).
struct directory {
    int fd; // the caller's: not closed here
    size_t at, end;
    int failed; // errno of a read that failed part way
    _Alignas(8) char buffer[4096];
};
void directory_begin(struct directory *directory, int fd);
// The next name, valid until the next call, and its DT_ type (dirent.h; DT_UNKNOWN on some file systems).
// NULL at the end or on failure.
const char *directory_next(struct directory *directory, unsigned char *type);

// Scanners over a terminated text: skip blanks, take what is asked, move the cursor behind it. False (cursor
// not moved) when it is not there or does not fit.
bool scan_u64(const char **cursor, uint64_t *out);
bool scan_hex(const char **cursor, uint64_t *out, int digits_max);
bool scan_decimal(const char **cursor, double *out);        // "12.34": digits and one point, not negative
bool scan_word(const char **cursor, const char *word);      // the word followed by a blank, ':' or the end
size_t scan_field(const char **cursor, const char **field); // up to the next blank; 0: none left

// Copy `text` as something that may be shown and sent: valid UTF-8, no control characters ('?' in their
// place), cut at a character's edge to fit.
void source_clean_text(char *buffer, size_t bytes, const char *text, size_t length);
// The same for a name: printable ASCII without blanks, '?' for everything else.
void source_clean_name(char *buffer, size_t bytes, const char *text);

#endif
