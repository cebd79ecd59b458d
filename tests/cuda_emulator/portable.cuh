// What differs between a device and its emulator, for the conformance suite: launches and shared
// memory.
#pragma once

#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstddef>

#ifdef TYPENET_CUDA_EMULATOR
    #include <emulator.hpp>

    #define SHARED(type, name, count) type* name = emulator::shared<type>([] {}, count)
    #define DYNAMIC_SHARED(type, name) type* name = emulator::dynamic_shared<type>()

template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes,
                   cudaStream_t stream, A... arguments) {
    return emulator::launch(kernel, grid, block, shared_bytes, stream, arguments...);
}
#else
    #define SHARED(type, name, count) __shared__ type name[count]
    #define DYNAMIC_SHARED(type, name)                                \
        extern __shared__ __align__(16) unsigned char name##_bytes[]; \
        type* name = reinterpret_cast<type*>(name##_bytes)

template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes,
                   cudaStream_t stream, A... arguments) {
    const auto enqueue = [&](P... values) {
        void* pointers[] = {static_cast<void*>(&values)..., nullptr};
        return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, pointers,
                                shared_bytes, stream);
    };
    return enqueue(arguments...);
}
#endif
