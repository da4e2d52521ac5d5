// What this room is for: the files with which a process or a person on this host holds a drain. What it
// knows: the directory /run/vpsie-agent/inhibit.d. What it may not do: overlook one because it cannot
// understand it, or write anything.
#ifndef VPSIE_AGENT_HOST_INHIBITORS_H
#define VPSIE_AGENT_HOST_INHIBITORS_H

#include "agent/host/source.h"
#include "agent/host/view.h"

#define INHIBITORS_DIRECTORY      "run/vpsie-agent/inhibit.d"
#define INHIBITORS_FILE_BYTES_MAX 4096

// One inhibitor a file; the file's name is the inhibitor's name (names that begin with '.' are not yet or no
// longer inhibitors: write such a file, then rename it). Lines:
//     reason: text for a person
//     expires: 2026-11-23T12:00:00Z     or a duration after the file's last change, such as 2h30m
// Blank lines and lines that begin with '#' are skipped; an empty file inhibits without a reason. What cannot
// be understood or read still inhibits, for ever, with a reason that says what is wrong with it. When there
// are more than fit, the last one says how many.
//
// `rootfs`: a descriptor. No directory: none, 0. Writes at most VIEW_INHIBITORS_MAX, ascending by name.
int inhibitors_read(int rootfs, int64_t now_ms, struct inhibitor *out, size_t *count, struct error *error);

// Fill reason and expires_ms from a file's content and its last change (Unix milliseconds).
void inhibitors_parse(const char *content, size_t length, int64_t changed_ms, struct inhibitor *out);

#endif
