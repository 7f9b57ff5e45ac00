#!/bin/sh
# Say how one job stands, in the word that Snakemake's generic executor wants: success, running or failed.
# A job that squeue no longer knows is asked of sacct, where the cluster keeps accounts; else it counts as failed.
state=$(squeue --noheader --states=all --format=%T --jobs="$1" 2>/dev/null | head -n 1)
[ -n "$state" ] || state=$(sacct --noheader --parsable2 --allocations --format=State --jobs="$1" 2>/dev/null | head -n 1)
case $state in
    COMPLETED*) echo success ;;
    PENDING* | CONFIGURING* | RUNNING* | COMPLETING* | SUSPENDED* | REQUEUED* | RESIZING*) echo running ;;
    *) echo failed ;;
esac
