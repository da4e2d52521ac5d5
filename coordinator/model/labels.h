// What this room is for: comparing what facts say, piece by piece, by content. What it knows: the plain
// structs of facts.h. What it may not do: hold anything.
#ifndef VPSIE_COORDINATOR_MODEL_LABELS_H
#define VPSIE_COORDINATOR_MODEL_LABELS_H

#include <stdbool.h>

#include "coordinator/model/facts.h"

bool words_equal(const char *a, const char *b); // NULL counts as ""
bool labels_equal(const struct labels *a, const struct labels *b);
bool taints_equal(const struct taints *a, const struct taints *b);
bool texts_equal(const char *const *a, uint32_t a_count, const char *const *b, uint32_t b_count);
bool requirements_equal(const struct requirement *a, uint32_t a_count, const struct requirement *b,
                        uint32_t b_count);
bool node_terms_equal(const struct node_term *a, uint32_t a_count, const struct node_term *b,
                      uint32_t b_count);
bool shape_facts_equal_but_labels(const struct pod_shape_facts *a, const struct pod_shape_facts *b);
// Equal facts give equal hashes; labels apart.
uint64_t shape_facts_hash_but_labels(const struct pod_shape_facts *facts);
uint64_t labels_hash(uint64_t seed, const struct labels *labels);
// Strict integers as Go's strconv.ParseInt(text, 10, 64) takes them, for Gt and Lt.
bool integer_parse(const char *text, int64_t *out);

#endif
