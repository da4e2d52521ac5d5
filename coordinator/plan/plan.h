// What this room is for: looking ahead: the core on a picture of a cluster (a snapshot, files, or a live
// cluster that is only read), with nothing carried out but in its own mind. What it knows: the core, the
// decoders of the Kubernetes door. What it may not do: write anywhere, open the VPSie account, wait for
// anything.
#ifndef VPSIE_COORDINATOR_PLAN_H
#define VPSIE_COORDINATOR_PLAN_H

// `vpsie-coordinator plan`. Returns the process's exit status: 0 done, 1 the picture cannot be had, 2 wrong
// usage.
int plan_main(int argc, char **argv);

#endif
