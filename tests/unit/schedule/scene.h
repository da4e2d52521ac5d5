// What this room is for: tables of cases for the scheduler's filters: what is there, what comes, where it
// fits. What it knows: facts, packing. What it may not do: hold a rule.
#ifndef VPSIE_TESTS_UNIT_SCHEDULE_SCENE_H
#define VPSIE_TESTS_UNIT_SCHEDULE_SCENE_H

#include "coordinator/schedule/packing.h"
#include "tests/support/make_facts.h"

#define HOST "kubernetes.io/hostname"
#define ZONE "topology.kubernetes.io/zone"
#define RACK "rack"

#define SELECTOR(...)                                                                                        \
    ((struct selector){.requirements = (const struct requirement[]){__VA_ARGS__},                            \
                       .requirement_count =                                                                  \
                           sizeof((const struct requirement[]){__VA_ARGS__}) / sizeof(struct requirement)})
#define IN(wanted, ...)                                                                                      \
    {                                                                                                        \
        .key = (wanted), .operator= SELECTOR_IN, .values = (const char *const[]){__VA_ARGS__},               \
        .value_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                           \
    }
#define OPERATOR(wanted, which, ...)                                                                         \
    {                                                                                                        \
        .key = (wanted), .operator=(which), .values = (const char *const[]){__VA_ARGS__},                    \
        .value_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                           \
    }
#define EVERYTHING ((struct selector){0})
#define NOTHING    ((struct selector){.nothing = true})

// A term of inter-pod affinity, in the pod's own namespace "default".
#define TERM(key, ...)                                                                                       \
    {                                                                                                        \
        .topology_key = (key), .selector = __VA_ARGS__, .spaces = (const char *const[]){"default"},          \
        .space_count = 1, .space_selector = {                                                                \
            .nothing = true                                                                                  \
        }                                                                                                    \
    }
// The same in namespaces by name and by label.
#define TERM_IN(key, names, by_label, ...)                                                                   \
    {                                                                                                        \
        .topology_key = (key), .selector = __VA_ARGS__, .spaces = (names),                                   \
        .space_count = sizeof(names) / sizeof((names)[0]), .space_selector = by_label                        \
    }
#define TOGETHER(pod, ...)                                                                                   \
    ((pod).shape.pod_affinity = (const struct pod_term[]){__VA_ARGS__},                                      \
     (pod).shape.pod_affinity_count =                                                                        \
         sizeof((const struct pod_term[]){__VA_ARGS__}) / sizeof(struct pod_term))
#define APART(pod, ...)                                                                                      \
    ((pod).shape.pod_anti_affinity = (const struct pod_term[]){__VA_ARGS__},                                 \
     (pod).shape.pod_anti_affinity_count =                                                                   \
         sizeof((const struct pod_term[]){__VA_ARGS__}) / sizeof(struct pod_term))
// maxSkew 1, nodeAffinityPolicy Honor, nodeTaintsPolicy Ignore: the defaults; more fields may follow.
#define SPREAD(key, ...)                                                                                     \
    {                                                                                                        \
        .topology_key = (key), .space = "default", .max_skew = 1, .min_domains = 1, .honor_affinity = true,  \
        .selector = __VA_ARGS__                                                                              \
    }
#define SPREAD_OVER(pod, ...)                                                                                \
    ((pod).shape.spread = (const struct spread_constraint[]){__VA_ARGS__},                                   \
     (pod).shape.spread_count =                                                                              \
         sizeof((const struct spread_constraint[]){__VA_ARGS__}) / sizeof(struct spread_constraint))

struct scene {
    struct cluster *cluster;
    struct arena *arena;
    struct packing packing;
};

// An empty cluster.
void scene_begin(struct scene *scene);
// Nodes a1 and a2 in zone a, b1 in zone b, each with a host name, and `bare` without any label.
void scene_begin_zones(struct scene *scene);
void scene_end(struct scene *scene);
struct node *scene_node(struct scene *scene, const char *name, const char *zone); // NULL: no label at all
void scene_space(struct scene *scene, const char *name, const char *key, const char *value);
// A pod with the label app (NULL: none), on a node or waiting (""). Tiny.
struct pod_facts scene_pod(const char *name, const char *node, const char *app);
const struct pod *scene_put(struct scene *scene, const struct pod_facts *facts);
// The names of all places where the pod fits, "a1 a2", in the packing as it is; the first call makes it.
const char *scene_fits(struct scene *scene, const struct pod *pod);
// Why it does not fit there.
struct placement scene_why(struct scene *scene, const struct pod *pod, const char *place);
const char *scene_words(struct scene *scene, const struct pod *pod, const char *place);
struct packing *scene_packing(struct scene *scene);
uint32_t scene_place(struct scene *scene, const char *name);

#endif
