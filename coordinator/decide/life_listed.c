#include "coordinator/decide/life.h"

bool life_machine_listed(const struct node *node)
{
    return node->intention != NULL && life_private_of(node->intention)->machine != NULL;
}
