/* none.c - no peer: what the firmware takes without one, to be taken off the bytes of the others. */
#include "peer.h"

int32_t peer_classify(const uint8_t *pixels, int32_t *scores)
{
    scores[0] = pixels[0];
    return 0;
}
