// What this room is for: which pods keep to or from each other where, in one packing: the counts behind
// inter-pod affinity, anti-affinity and topology spread. What it knows: the pods of the cluster, what was put
// and removed here, relations. What it may not do: choose a place, undo by itself, be used outside schedule/.
//
// A site is a node of the cluster or a place that was added: nodes that are no places come first, then the
// places by index. Nothing is counted before somebody asks: relations of waiting pods are counted when one of
// them is first looked at, by way of shapes (all pods of a Deployment at once) and of an index of labels.
#ifndef VPSIE_COORDINATOR_SCHEDULE_PICTURE_H
#define VPSIE_COORDINATOR_SCHEDULE_PICTURE_H

#include "coordinator/schedule/packing_search.h"
#include "coordinator/schedule/relation.h"

struct packing;
struct picture;

struct own_spread {
    struct relation *relation;
    const struct spread_constraint *constraint;
    bool selects_self;
};

struct put {               // a pod that was put on a place
    const struct pod *pod; // NULL: a resident of a template
    struct profile *profile;
    uint32_t site;
    struct put *site_previous, *site_next, *profile_previous, *profile_next;
};

struct relation_list {
    struct relation **items;
    uint32_t count, capacity;
};

struct profile { // what one shape of pods has to do with others
    const struct pod_shape *shape;
    const char *space;
    bool resolved; // its own affinity and spread were looked at
    struct relation *affinity;
    bool selects_self;         // its affinity
    struct relation_list anti; // its own terms
    struct own_spread *spread;
    uint32_t spread_count;
    struct relation_list counts_for; // affinity and spread that select it
    struct relation_list kept_from;  // anti-affinity that selects it
    struct put *puts;
    struct packing_cursor cursor; // for pods that are related to others
};

struct picture *picture_create(struct arena *arena, const struct cluster *cluster);
// The profile of a pod that is to be put or looked at.
struct profile *picture_profile(struct picture *picture, const struct packing *packing,
                                const struct pod *pod);
// Does it matter to it what other pods are where? If not, places that failed stay failed until something is
// taken back.
static inline bool profile_is_related(const struct profile *profile)
{
    return profile->affinity != NULL || profile->anti.count > 0 || profile->spread_count > 0 ||
           profile->kept_from.count > 0;
}
// The same as long as nothing but more pods on places has made the profile's places fewer.
uint64_t profile_stamp(const struct profile *profile);

// May it be there, as far as other pods are concerned? FITS, SPREAD, POD_AFFINITY, ANTI_AFFINITY or
// OTHERS_ANTI_AFFINITY.
struct placement picture_check(const struct picture *picture, const struct profile *profile, uint32_t place);
// Name the pod that is in the way, when there is one.
void picture_name(const struct picture *picture, const struct profile *profile, uint32_t place,
                  struct placement *placement);

void picture_put(struct picture *picture, struct profile *profile, const struct pod *pod, uint32_t place);
void picture_take(struct picture *picture, const struct pod *pod, uint32_t place);
// Is this node of the cluster removed (there)?
bool picture_is_gone(const struct picture *picture, const struct node *node);
void picture_add(struct picture *picture, const struct packing *packing, uint32_t place);
void picture_drop(struct picture *picture, const struct packing *packing, uint32_t place); // the last one
// False when the node is none of the cluster's, or is removed (there) already. `place` gets its index,
// UINT32_MAX when it is none.
bool picture_remove(struct picture *picture, const struct packing *packing, const struct node *node,
                    uint32_t *place);
bool picture_restore(struct picture *picture, const struct packing *packing, const struct node *node,
                     uint32_t *place);
// Every pod of the picture, but those of removed nodes.
void picture_visit(const struct picture *picture, void (*visit)(void *context, const struct pod *pod),
                   void *context);
const struct put *picture_puts(const struct picture *picture, uint32_t place);

// Rises whenever something was taken away that may let related pods in; as packing_search_era().
uint64_t picture_era(const struct picture *picture);
void picture_return(struct picture *picture, uint64_t era);

#endif
