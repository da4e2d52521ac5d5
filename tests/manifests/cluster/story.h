// What this room is for: what the stories on a real control plane have in common: how one begins and ends,
// waits, asks, and holds what is printed against the manuals. What it knows: one control plane a program.
// What it may not do: tell a story.
#ifndef VPSIE_TESTS_MANIFESTS_CLUSTER_STORY_H
#define VPSIE_TESTS_MANIFESTS_CLUSTER_STORY_H

#include "tests/support/cmocka_all.h"

#include "tests/manifests/cluster/kubelets.h"

#define SOURCE             VPSIE_SOURCE_DIR
#define STORY_NOT_POSSIBLE 77 // as the shell's tests say it: skipped
#define STORY_VPSIE_TOKEN  "vpsie-token-of-the-test-world"

extern struct story {
    struct stage *stage;
    struct cluster cluster;
    struct kubelets kubelets;
    struct cluster_client client;
} story;

// For cmocka's group: starts all of it, ends it; a program that ended badly fails the group.
int story_begin(void **state);
int story_end(void **state);
// False, and said aloud, when there is no control plane here.
bool story_is_possible(void);

void story_wait(const char *what, bool (*condition)(void)); // fails the test after two minutes, with the logs
void story_apply(const char *name, const char *text, struct text *out);
// Each line of a command's output is in that document, as the document shows output.
void story_assert_documented(const struct text *out, const char *file);
struct stage_counts story_counts(void); // of VPSie
int story_count_listed(const char *path);

// What the coordinator that leads says of itself.
bool story_leader_is(const char *state);
bool story_only_watches(void);
bool story_acts(void);
bool story_one_stands_by(void);
bool story_agents_are_heard(void); // one of each Node

#define assert_kubectl(out, ...)                                                                             \
    do {                                                                                                     \
        int status_ = cluster_kubectl(&story.cluster, out, __VA_ARGS__);                                     \
        if (status_ != 0) {                                                                                  \
            fail_msg("kubectl: exit status %d: %s", status_, text_get(out));                                 \
        }                                                                                                    \
    } while (0)

#define assert_has(out, words)                                                                               \
    do {                                                                                                     \
        if (strstr(text_get(out), words) == NULL) {                                                          \
            fail_msg("no \"%s\" in:\n%s", words, text_get(out));                                             \
        }                                                                                                    \
    } while (0)

#endif
