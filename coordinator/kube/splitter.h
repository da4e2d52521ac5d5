// What this room is for: cutting single objects out of a byte stream (a page of a list, a watch) as they
// come, so that no tree of the whole page is ever built. What it knows: where JSON values begin and end.
// What it may not do: judge what is inside; a cut-out piece is checked by the JSON parser afterwards.
#ifndef VPSIE_COORDINATOR_KUBE_SPLITTER_H
#define VPSIE_COORDINATOR_KUBE_SPLITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

#define SPLITTER_PIECE_BYTES_MAX (4u << 20) // etcd holds objects of 1.5 MiB at most

enum splitter_mode {
    SPLITTER_LIST,  // one document {"metadata":{...},"items":[...]}: each item, and the metadata
    SPLITTER_STREAM // documents one after the other (a watch): each of them
};
enum splitter_piece { SPLITTER_ITEM, SPLITTER_METADATA };

// A complete piece; bytes are valid during the call only and may be changed. Return false to stop
// (splitter_feed returns false).
typedef bool (*splitter_sink)(void *context, enum splitter_piece piece, char *bytes, size_t length);

struct splitter {
    enum splitter_mode mode;
    splitter_sink sink;
    void *context;
    size_t piece_bytes_max;
    uint64_t skipped; // pieces over the size or depth limit: passed over, never delivered
    struct text piece;
    // private
    uint32_t depth;
    uint32_t piece_depth; // depth at which the present piece began
    char key[16];         // member name at depth 1, as far as it fits
    uint32_t key_length;
    bool in_string, escaped, in_key, expect_key, capturing, oversized, in_items, begun, ended;
    enum splitter_piece kind;
};

void splitter_init(struct splitter *splitter, enum splitter_mode mode, splitter_sink sink, void *context);
// Any number of bytes, cut anywhere. False once the sink said so.
bool splitter_feed(struct splitter *splitter, const char *bytes, size_t length);
// Was everything whole? A list must have been read to its closing brace, a stream must not end within a
// document.
bool splitter_complete(const struct splitter *splitter);
// `wipe`: overwrite what was buffered (secrets).
void splitter_free(struct splitter *splitter, bool wipe);

#endif
