/*
 * emlearn.c - the network that emlearn generated (model.h), in float as its users have it.
 */
#include "model.h"
#include "peer.h"

int32_t peer_classify(const uint8_t *pixels, int32_t *scores)
{
    static float features[PEER_INPUTS];
    for (int32_t i = 0; i < PEER_INPUTS; i++) {
        features[i] = (float)pixels[i] * (1.0f / 255.0f);
    }
    int32_t answer = model_predict(features, PEER_INPUTS);
    scores[0] = answer; /* emlearn keeps its own, in float */
    return answer;
}
