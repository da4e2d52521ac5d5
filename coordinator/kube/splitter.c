#include "coordinator/kube/splitter.h"

#include <assert.h>
#include <string.h>

#include "coordinator/kube/json.h"

void splitter_init(struct splitter *splitter, enum splitter_mode mode, splitter_sink sink, void *context)
{
    assert(sink != NULL);
    *splitter = (struct splitter){
        .mode = mode, .sink = sink, .context = context, .piece_bytes_max = SPLITTER_PIECE_BYTES_MAX};
}

static bool key_is(const struct splitter *splitter, const char *name)
{
    size_t length = strlen(name);
    return splitter->key_length == length && memcmp(splitter->key, name, length) == 0;
}

// One byte inside a string.
static void in_string(struct splitter *splitter, char c)
{
    if (splitter->escaped) {
        splitter->escaped = false;
    } else if (c == '\\') {
        splitter->escaped = true;
    } else if (c == '"') {
        splitter->in_string = false;
        splitter->in_key = false;
        return;
    }
    if (splitter->in_key) {
        if (splitter->key_length < sizeof(splitter->key))
            splitter->key[splitter->key_length] = c;
        splitter->key_length++;
    }
}

// Does this opening bracket begin a piece that is wanted?
static bool begins_piece(const struct splitter *splitter, char c, enum splitter_piece *kind)
{
    *kind = SPLITTER_ITEM;
    if (splitter->capturing || c != '{')
        return false;
    if (splitter->mode == SPLITTER_STREAM)
        return splitter->depth == 0;
    if (splitter->in_items && splitter->depth == 2)
        return true;
    *kind = SPLITTER_METADATA;
    return splitter->depth == 1 && !splitter->expect_key && key_is(splitter, "metadata");
}

static void open_bracket(struct splitter *splitter, char c)
{
    enum splitter_piece kind;
    if (begins_piece(splitter, c, &kind)) {
        splitter->capturing = true;
        splitter->oversized = false;
        splitter->kind = kind;
        splitter->piece_depth = splitter->depth;
        text_clear(&splitter->piece);
    } else if (splitter->mode == SPLITTER_LIST && splitter->depth == 1 && c == '[' && !splitter->expect_key &&
               key_is(splitter, "items")) {
        splitter->in_items = true;
    }
    if (splitter->depth == 0) {
        splitter->begun = true;
        splitter->expect_key = c == '{';
    }
    if (splitter->depth < UINT32_MAX)
        splitter->depth++;
    if (splitter->capturing && splitter->depth - splitter->piece_depth > JSON_DEPTH_MAX)
        splitter->oversized = true;
}

// True when the bracket ended the present piece.
static bool close_bracket(struct splitter *splitter)
{
    if (splitter->depth == 0)
        return false;
    splitter->depth--;
    if (splitter->depth == 0)
        splitter->ended = true;
    if (splitter->depth == 1)
        splitter->in_items = false;
    return splitter->capturing && splitter->depth == splitter->piece_depth;
}

// One byte outside strings; true when it ended the present piece.
static bool structural(struct splitter *splitter, char c)
{
    switch (c) {
    case '"':
        splitter->in_string = true;
        splitter->escaped = false;
        if (splitter->depth == 1 && splitter->expect_key) {
            splitter->in_key = true;
            splitter->key_length = 0;
        }
        return false;
    case '{':
    case '[': open_bracket(splitter, c); return false;
    case '}':
    case ']': return close_bracket(splitter);
    case ':':
        if (splitter->depth == 1)
            splitter->expect_key = false;
        return false;
    case ',':
        if (splitter->depth == 1)
            splitter->expect_key = true;
        return false;
    default: return false;
    }
}

static void keep(struct splitter *splitter, const char *bytes, size_t length)
{
    if (!splitter->oversized && length > splitter->piece_bytes_max - splitter->piece.length)
        splitter->oversized = true;
    if (!splitter->oversized)
        text_append_bytes(&splitter->piece, bytes, length);
}

static bool deliver(struct splitter *splitter)
{
    splitter->capturing = false;
    if (splitter->oversized) {
        splitter->skipped++;
        return true;
    }
    bool more =
        splitter->sink(splitter->context, splitter->kind, splitter->piece.bytes, splitter->piece.length);
    text_clear(&splitter->piece);
    return more;
}

bool splitter_feed(struct splitter *splitter, const char *bytes, size_t length)
{
    size_t start = 0; // first captured byte of this chunk that is not in `piece` yet
    for (size_t i = 0; i < length; i++) {
        if (splitter->in_string) {
            in_string(splitter, bytes[i]);
            continue;
        }
        bool was_capturing = splitter->capturing;
        bool ended = structural(splitter, bytes[i]);
        if (!was_capturing && splitter->capturing)
            start = i;
        if (ended) {
            keep(splitter, bytes + start, i + 1 - start);
            if (!deliver(splitter))
                return false;
        }
    }
    if (splitter->capturing)
        keep(splitter, bytes + start, length - start);
    return true;
}

bool splitter_complete(const struct splitter *splitter)
{
    if (splitter->depth > 0 || splitter->in_string)
        return false;
    return splitter->mode == SPLITTER_STREAM || splitter->ended;
}

void splitter_free(struct splitter *splitter, bool wipe)
{
    if (wipe && splitter->piece.bytes)
        explicit_bzero(splitter->piece.bytes, splitter->piece.capacity);
    text_free(&splitter->piece);
}
