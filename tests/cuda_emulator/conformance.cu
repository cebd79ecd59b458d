// The conformance suite as a program of its own, for a real device.
#include "conformance.cuh"

int main() {
    int devices = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess) {
        std::printf("conformance: no device to test: %s\n", cudaGetErrorString(error));
        return 77;  // skipped
    }
    return conformance::run_all() == 0 ? 0 : 1;
}
