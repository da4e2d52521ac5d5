#include "coordinator/decide/life.h"

bool life_machine_listed(const struct node *node)
{
    const struct life_private *p = node->intention != NULL ? life_private_of(node->intention) : NULL;
    return p != NULL && p->machine != NULL && !p->claimed_twice;
}
