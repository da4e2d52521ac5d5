// What this room is for: what the files of the picture share among themselves. What it knows: sites,
// profiles, relations. What it may not do: be included from other files.
#ifndef VPSIE_COORDINATOR_SCHEDULE_PICTURE_PRIVATE_H
#define VPSIE_COORDINATOR_SCHEDULE_PICTURE_PRIVATE_H

#include "coordinator/schedule/packing.h"
#include "coordinator/schedule/picture.h"
#include "coordinator/schedule/shape_index.h"

#define SITE_NONE UINT32_MAX

struct site {
    const struct node *node; // whose pods are here, NULL: nobody's
    uint32_t previous;       // where they were before this place was added for the node
    bool gone;
    struct put *puts;
};

struct node_site {
    const struct node *node;
    uint32_t site;
};

struct picture {
    struct arena *arena;
    const struct cluster *cluster;
    bool built;
    struct place *others; // nodes that are no places
    uint32_t other_count;
    struct site *sites;
    uint32_t site_count, site_capacity;
    struct lookup node_sites; // of struct node_site
    struct shape_index *shapes;
    struct lookup profiles; // by shape
    struct profile *last_profile;
    struct lookup relations;               // by their key
    struct lookup relations_by_word;       // by a label value that they ask for
    struct relation_list others_relations; // those that no label value leads to
    struct topology *topologies;
    struct area *areas;
    struct put *free_puts;
    uint64_t era, last_era;
};

void picture_build(struct picture *picture, const struct packing *packing);
const struct place *picture_place(const struct picture *picture, const struct packing *packing,
                                  uint32_t site);
struct node_site *picture_node_site(const struct picture *picture, const struct node *node);
struct profile *picture_find_profile(const struct picture *picture, const struct pod_shape *shape);
// Without looking at its own affinity and spread: enough to count its pods.
struct profile *picture_count_profile(struct picture *picture, const struct packing *packing,
                                      const struct pod_shape *shape, const char *space);
void picture_own_existing_anti(struct picture *picture, const struct packing *packing);
void picture_add_put(struct picture *picture, struct profile *profile, const struct pod *pod, uint32_t site);
void picture_drop_put(struct picture *picture, struct put *put);
// A pod came or went: count it in all that it counts for. False when that was nothing.
bool picture_change(struct picture *picture, const struct profile *profile, const struct pod *pod,
                    uint32_t site, bool coming);

#endif
