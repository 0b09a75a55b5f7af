//! How a backend crate compiles the network for its backend.

/// Defines `Model`: a [`crate::Runner`] of one concrete backend, with no
/// generic left, so that the code of the whole network is generated in the
/// crate that calls this macro and nowhere else.
#[macro_export]
macro_rules! compile_for {
    ($backend:ty, $device:ty) => {
        /// Qwen3 on this backend.
        #[derive(Debug)]
        pub struct Model($crate::Runner<$backend>);

        impl Model {
            /// See [`qwen3::Runner::strategies`].
            pub fn strategies(
                dtype: $crate::Dtype,
                device: &$device,
            ) -> Vec<$crate::MatmulStrategy> {
                $crate::Runner::<$backend>::strategies(dtype, device)
            }

            /// See [`qwen3::Runner::product`].
            ///
            /// # Errors
            /// As [`qwen3::Runner::product`].
            pub fn product(
                factors: &$crate::Factors,
                dtype: $crate::Dtype,
                strategy: $crate::MatmulStrategy,
                device: &$device,
            ) -> Result<Vec<f32>, $crate::Error> {
                $crate::Runner::<$backend>::product(factors, dtype, strategy, device)
            }

            /// See [`qwen3::Runner::load`].
            ///
            /// # Errors
            /// As [`qwen3::Runner::load`].
            pub fn load(
                weights: &$crate::Weights,
                config: &$crate::Config,
                storage: $crate::Storage,
                device: &$device,
                on_tensor: $crate::OnTensor,
            ) -> Result<Self, $crate::Error> {
                $crate::Runner::load(weights, config, storage, device, on_tensor).map(Self)
            }

            /// See [`qwen3::Runner::forward`].
            ///
            /// # Errors
            /// As [`qwen3::Runner::forward`].
            pub fn forward(
                &self,
                batch: &$crate::PackedBatch,
                rows: $crate::Rows,
                should_stop: &dyn Fn() -> bool,
            ) -> Result<Vec<f32>, $crate::Error> {
                self.0.forward(batch, rows, should_stop)
            }

            /// See [`qwen3::Runner::stages`].
            ///
            /// # Errors
            /// As [`qwen3::Runner::stages`].
            pub fn stages(
                &self,
                batch: &$crate::PackedBatch,
                tokens: &[u32],
            ) -> Result<Vec<$crate::Recorded>, $crate::Error> {
                self.0.stages(batch, tokens)
            }
        }
    };
}
