// What this room is for: can a pod's volumes be used on a place? What it knows: claims, volumes, storage
// classes and how many volumes of a driver a node can hold. What it may not do: choose among volumes that
// exist already, cost anything to pods without claims.
//
// As kube-scheduler's VolumeRestrictions, NodeVolumeLimits, VolumeBinding and VolumeZone have it:
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/
// https://kubernetes.io/docs/concepts/storage/storage-limits/
#ifndef VPSIE_COORDINATOR_SCHEDULE_VOLUMES_H
#define VPSIE_COORDINATOR_SCHEDULE_VOLUMES_H

#include "common/arena.h"
#include "coordinator/schedule/picture.h"

struct volumes;

struct volumes *volumes_create(struct arena *arena, const struct cluster *cluster);
// The pod's claims by themselves: FITS, or VOLUME: why it can be nowhere now.
struct placement volumes_check_claims(struct volumes *volumes, const struct picture *picture,
                                      const struct pod *pod);
// What remains to be asked of one place: FITS, VOLUME or ATTACH_LIMIT. `puts`: what was put there, besides
// the pods of the place's own.
struct placement volumes_check(struct volumes *volumes, const struct pod *pod, const struct place *place,
                               const struct put *puts);
// A pod came into the picture, or left it.
void volumes_change(struct volumes *volumes, const struct pod *pod, bool coming);
// All pods of a node did.
void volumes_change_node(struct volumes *volumes, const struct node *node, bool coming);

#endif
