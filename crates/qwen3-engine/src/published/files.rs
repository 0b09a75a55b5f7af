//! What the published files are known by.

use super::MODELS;

/// SHA-256 of published weights, where a public source states it.
pub const SHA256: [(&str, &str, &str); 11] = [
    (
        MODELS[0],
        "model.safetensors",
        "0437e45c94563b09e13cb7a64478fc406947a93cb34a7e05870fc8dcd48e23fd",
    ),
    (
        MODELS[3],
        "model.safetensors",
        "27cd75a405b9c1b46b59abfd88aaa209e6fed2a1972cde9b70e7659537c5e65b",
    ),
    (
        MODELS[2],
        "model-00001-of-00004.safetensors",
        "99b343597fe840706146144699a8b9188dd3387e43eb61faf0231b70b249d451",
    ),
    (
        MODELS[2],
        "model-00002-of-00004.safetensors",
        "dff635b0f6dbbaad2a2d633ef037ec0a39bc165cc1806c712fbd6fcbcb4526c0",
    ),
    (
        MODELS[2],
        "model-00003-of-00004.safetensors",
        "30b1d4c53d84eb018f642cad7b373f0aabf79699872d8702c1f38577c0a59a2f",
    ),
    (
        MODELS[2],
        "model-00004-of-00004.safetensors",
        "36cbc9c60375693629f25743c1e77ebb1724af58e671b2376463193c7fd21ef6",
    ),
    (
        MODELS[5],
        "model-00001-of-00005.safetensors",
        "22cdfea4a13b7b3e866573800eeeb638fc38962940adf631d06dc03befed047a",
    ),
    (
        MODELS[5],
        "model-00002-of-00005.safetensors",
        "d2163b74137e35b4614bd2aa5bf27bcb07de4ca61c6962495feb968385eb0df8",
    ),
    (
        MODELS[5],
        "model-00003-of-00005.safetensors",
        "a5038caa78c817e8acce6806104869675938a33fd4e60ed038e9931d390d6989",
    ),
    (
        MODELS[5],
        "model-00004-of-00005.safetensors",
        "247f85538c5996d4c296291b0e4004f618c9b17ca8cdc25d1fc726567eb15803",
    ),
    (
        MODELS[5],
        "model-00005-of-00005.safetensors",
        "8ba41b93c2e4ec8339ad16b000bc977fde196aeac054956cbfc8c0186ee6d4cf",
    ),
];
