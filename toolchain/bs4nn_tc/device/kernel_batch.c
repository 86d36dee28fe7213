/* kernel_batch.c - the kernel on many images, one after another, called from Python (device/kernel_library.py). */
#include "bs4nn.h"

/* Images and where the answers go; kernel_library.py mirrors it. */
typedef struct {
    const uint8_t *images;       /* (count, inputs) */
    int32_t count;
    int32_t *answer;             /* (count) */
    int32_t *response_time;      /* (count) */
    int32_t *spikes;             /* (count) */
    uint16_t *firing_times;      /* (count, neurons of all layers), or NULL: stop with the first output spike */
    int32_t *readout_potentials; /* (count, outputs) */
} batch_t;

int bs4nn_batch(const bs4nn_network_t *network, uint32_t *workspace, const batch_t *batch);

/* Returns 0, or a negative error of the kernel. */

int bs4nn_batch(const bs4nn_network_t *network, uint32_t *workspace, const batch_t *batch)
{
    bs4nn_t net;
    int status = bs4nn_init(&net, network, workspace, (size_t)network->workspace_words * sizeof *workspace);
    const uint8_t *image = batch->images;
    bs4nn_trace_t trace = {batch->firing_times, batch->readout_potentials};
    for (int32_t n = 0; n < batch->count && status >= 0; n++) {
        bs4nn_result_t result;
        if (trace.firing_times == NULL) {
            status = bs4nn_classify(&net, image, &result);
        } else {
            status = bs4nn_trace(&net, image, &trace, &result);
            trace.firing_times += bs4nn_neurons(network);
            trace.readout_potentials += network->layers[network->hidden_layers].neurons;
        }
        batch->answer[n] = result.answer;
        batch->response_time[n] = result.response_time;
        batch->spikes[n] = (int32_t)result.spikes;
        image += bs4nn_inputs(network);
    }
    return status < 0 ? status : 0;
}
