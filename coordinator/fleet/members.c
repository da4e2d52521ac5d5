#include "coordinator/fleet/members.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

#define FIRST_CAPACITY   64u
#define CLAIMS_BYTES_MAX 8192u

static uint32_t slot_of(const struct members *members, uint32_t pipe)
{
    return (pipe * 2654435761u) & (members->capacity - 1u);
}

static void place(struct members *members, struct member *member)
{
    uint32_t slot = slot_of(members, member->pipe);
    while (members->slots[slot] != NULL) {
        slot = (slot + 1u) & (members->capacity - 1u);
    }
    members->slots[slot] = member;
}

static void grow(struct members *members)
{
    struct member **old = members->slots;
    uint32_t old_capacity = members->capacity;
    members->capacity = old_capacity == 0 ? FIRST_CAPACITY : old_capacity * 2u;
    members->slots = xcalloc(members->capacity, sizeof(struct member *));
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i] != NULL) {
            place(members, old[i]);
        }
    }
    free(old);
}

void members_free(struct members *members)
{
    for (uint32_t i = 0; i < members->capacity; i++) {
        free(members->slots[i]);
    }
    free(members->slots);
    memset(members, 0, sizeof *members);
}

struct member *members_find(const struct members *members, uint32_t pipe)
{
    if (members->capacity == 0) {
        return NULL;
    }
    for (uint32_t slot = slot_of(members, pipe); members->slots[slot] != NULL;
         slot = (slot + 1u) & (members->capacity - 1u)) {
        if (members->slots[slot]->pipe == pipe) {
            return members->slots[slot];
        }
    }
    return NULL;
}

struct member *members_add(struct members *members, uint32_t pipe)
{
    assert(pipe != 0);
    struct member *member = members_find(members, pipe);
    if (member != NULL) {
        return member;
    }
    if (members->count * 2u >= members->capacity) {
        grow(members);
    }
    member = xcalloc(1, sizeof *member);
    member->pipe = pipe;
    place(members, member);
    members->count++;
    return member;
}

void members_remove(struct members *members, uint32_t pipe)
{
    struct member *member = members_find(members, pipe);
    if (member == NULL) {
        return;
    }
    members_forget_identity(members, member);
    uint32_t slot = slot_of(members, pipe);
    while (members->slots[slot] != member) {
        slot = (slot + 1u) & (members->capacity - 1u);
    }
    members->slots[slot] = NULL;
    members->count--;
    free(member);
    // what had been pushed past the hole moves back, so that it is still found
    for (slot = (slot + 1u) & (members->capacity - 1u); members->slots[slot] != NULL;
         slot = (slot + 1u) & (members->capacity - 1u)) {
        struct member *moved = members->slots[slot];
        members->slots[slot] = NULL;
        place(members, moved);
    }
}

void members_identify(struct members *members, struct member *member, const char *node_name, int64_t until_ms)
{
    members->identified += member->identified ? 0u : 1u;
    member->identified = true;
    member->until_ms = until_ms;
    snprintf(member->node_name, sizeof member->node_name, "%s", node_name);
}

void members_forget_identity(struct members *members, struct member *member)
{
    members->identified -= member->identified ? 1u : 0u;
    member->identified = false;
}

uint32_t members_strangers(const struct members *members, int64_t before_ms, uint32_t *pipes, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < members->capacity && count < max; i++) {
        const struct member *member = members->slots[i];
        if (member != NULL && !member->identified && member->heard_ms < before_ms) {
            pipes[count++] = member->pipe;
        }
    }
    return count;
}

void members_want_complete(struct members *members)
{
    for (uint32_t i = 0; i < members->capacity; i++) {
        if (members->slots[i] != NULL) {
            members->slots[i]->complete = false;
        }
    }
}

int64_t members_token_end_ms(const char *token)
{
    const char *claims = strchr(token, '.');
    size_t length = claims != NULL ? strcspn(claims + 1, ".") : 0;
    if (length == 0 || length > CLAIMS_BYTES_MAX) {
        return 0;
    }
    // base64url without padding, as JWTs have it, to what EVP_DecodeBlock() takes
    size_t padded = (length + 3u) / 4u * 4u;
    AUTOFREE char *encoded = xcalloc(1, padded + 1u);
    AUTOFREE char *decoded = xcalloc(1, padded + 1u);
    for (size_t i = 0; i < padded; i++) {
        char c = i < length ? claims[1 + i] : '=';
        encoded[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    int bytes = EVP_DecodeBlock((unsigned char *)decoded, (const unsigned char *)encoded, (int)padded);
    if (bytes <= 0) {
        return 0;
    }
    cJSON *object = cJSON_ParseWithLength(decoded, (size_t)bytes - (padded - length));
    const cJSON *end = cJSON_GetObjectItemCaseSensitive(object, "exp");
    int64_t end_ms = cJSON_IsNumber(end) && end->valuedouble > 0 && end->valuedouble < 1e11
                         ? (int64_t)end->valuedouble * 1000
                         : 0;
    cJSON_Delete(object);
    return end_ms;
}
