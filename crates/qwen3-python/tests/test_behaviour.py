"""What somebody who comes from Python expects, beside the numbers: errors, progress, Ctrl-C,
threads, processes and copies."""

from __future__ import annotations

import contextlib
import copy
import doctest
import importlib.util
import io
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import qwen3_burn
from checkpoints import FIXTURES
from qwen3_burn import (
    DeviceError,
    Embedder,
    Error,
    InputError,
    ModelError,
    ModelNotFoundError,
    OptionError,
    Progress,
    Reranker,
    quantize_embeddings,
)

#: Seconds in which a call that was interrupted has ended, on a machine with other work.
PROMPTLY = 60

TEXTS = ["Apples fall.", "The capital of China is Beijing.", "Gravity is a force."]

#: A program that computes for minutes, and tells when it has begun.
ENDLESS = """
import signal, sys
from qwen3_burn import Embedder
signal.signal(signal.SIGINT, signal.default_int_handler)
model = Embedder({model!r})
def begun(step):
    if step.stage == "compute" and step.done == 0:
        print("begun", flush=True)
try:
    model.encode({texts}, progress=begun)
except KeyboardInterrupt:
    print("interrupted", len(model.encode("Apples fall.")), flush=True)
    raise
"""


class Offline(unittest.TestCase):
    def setUp(self) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"


class Errors(Offline):
    def test_what_can_not_be_loaded_is_told(self) -> None:
        reranker = FIXTURES / "tiny-reranker-tied"
        for kind, load, said in [
            (ModelNotFoundError, lambda: Embedder("nothing"), "`nothing`"),
            (ModelNotFoundError, lambda: Embedder(Path("nothing/here")), "`nothing/here`"),
            (ModelNotFoundError, lambda: Embedder(FIXTURES), "config.json"),
            (ModelError, lambda: Embedder(reranker), "looks like"),
            (qwen3_burn.DownloadError, lambda: Embedder("nobody/nothing"), "HF_HUB_OFFLINE"),
            (OptionError, lambda: Embedder(None), "None"),  # type: ignore[arg-type]
            (OptionError, lambda: Embedder("mini", kind="cat"), "`cat`"),  # type: ignore[arg-type]
            (OptionError, lambda: Embedder("mini", kind=3), "`kind`"),  # type: ignore[arg-type]
            (OptionError, lambda: Embedder("mini", revision=3), "`revision`"),  # type: ignore[arg-type]
            (OptionError, lambda: Embedder("mini", cache_folder=3), "`cache_folder`"),  # type: ignore[arg-type]
            (OptionError, lambda: Embedder("mini", device="gpu"), "`gpu`"),
            (DeviceError, lambda: Embedder("mini", device="ndarray"), "`ndarray`"),
            (OptionError, lambda: Embedder("mini", dtype="int3"), "`int3`"),
            (OptionError, lambda: Embedder("mini", truncate="middle"), "`middle`"),
            (OptionError, lambda: Embedder("mini", special_tokens="eat"), "`eat`"),
            (OptionError, lambda: Embedder("mini", threads=0), "`threads`"),
            (OptionError, lambda: Embedder("mini", max_batch_tokens=2.5), "`max_batch_tokens`"),
            (OptionError, lambda: Embedder("mini", max_seq_length=10**7), "`max_tokens`"),
            (OptionError, lambda: Embedder("mini", truncate_dim=0), "`truncate_dim`"),
            (OptionError, lambda: Embedder("mini", backend="onnx"), "`backend`"),
            (OptionError, lambda: Embedder("mini", local_files_only=True), "HF_HUB_OFFLINE"),
            (OptionError, lambda: Embedder("mini", model_kwargs={"x": 1}), "`x`"),
            (OptionError, lambda: Embedder("mini", config_kwargs={"x": 1}), "`x`"),
            (OptionError, lambda: Embedder("mini", revision="v2"), "`v2`"),
            (OptionError, lambda: Reranker(reranker, num_labels=2), "`num_labels`"),
        ]:
            with self.subTest(said), self.assertRaises(kind) as caught:
                load()
            self.assertIn(said, str(caught.exception))
            self.assertIsInstance(caught.exception, Error)

    def test_what_can_not_be_read_is_told_with_its_place(self) -> None:
        model = Embedder("mini")
        for inputs, place in [
            (["a", None], 1),
            (["a", "b", 3], 2),
            (["a", float("nan")], 1),
            ([b"a"], 0),
            ([["a", "b"]], 0),
            (["a", "\ud800"], 1),
            (b"a", None),
            ({"text": "a"}, None),
            (None, None),
            (3, None),
        ]:
            with self.subTest(repr(inputs)), self.assertRaises(InputError) as caught:
                model.encode(inputs)  # type: ignore[call-overload]
            self.assertEqual(caught.exception.input, place)
            self.assertIsInstance(caught.exception, ValueError)
        with self.assertRaises(InputError):
            model.similarity(np.ones((1, 3)), np.ones((1, 4)))

    def test_pairs_that_are_none_are_told_with_their_place(self) -> None:
        model = Reranker(FIXTURES / "tiny-reranker-tied")
        for pairs, place in [
            ([("a", "b"), ("a",)], 1),
            ([("a", "b"), "ab"], 1),
            (("a", "b", "c"), 0),
            ([("a", None)], 0),
            ("ab", None),
            (None, None),
        ]:
            with self.subTest(repr(pairs)), self.assertRaises(InputError) as caught:
                model.predict(pairs)
            self.assertEqual(caught.exception.input, place)
        with self.assertRaises(InputError):
            model.rank("a", "one document")
        with self.assertRaises(InputError):
            model.rank(None, ["one document"])  # type: ignore[arg-type]

    def test_what_a_call_can_not_choose_is_told(self) -> None:
        model = Embedder("mini", device="cpu")
        for call in [
            {"device": "cuda:1"},
            {"device": ["cpu", "cpu"]},
            {"pool": {}},
            {"output_value": None},
            {"prompt": 3},
            {"prompt_name": ["query"]},
            {"truncate_dim": -1},
            {"nonsense": 1},
        ]:
            with self.subTest(repr(call)), self.assertRaises(OptionError):
                model.encode("a", **call)  # type: ignore[call-overload]
        if importlib.util.find_spec("torch") is None:
            with self.assertRaisesRegex(OptionError, "PyTorch"):
                model.encode("a", convert_to_tensor=True)

    def test_vectors_that_are_quantized_already_are_refused(self) -> None:
        with self.assertRaises(OptionError):
            quantize_embeddings(np.ones((2, 8), np.int8), "binary")
        with self.assertRaisesRegex(OptionError, "`ranges`"):
            quantize_embeddings(np.ones((2, 8), np.float32), "int8", ranges=np.ones((2, 7)))


class Inputs(Offline):
    def test_texts_come_from_whatever_has_texts(self) -> None:
        class Series:
            """As pandas: it is iterated, and is neither a list nor an array."""

            def __iter__(self) -> Any:
                return iter(TEXTS)

        class Column:
            """As an array of Arrow, whose scalars are no texts."""

            def __iter__(self) -> Any:
                return map(object, ())

            def to_pylist(self) -> list[str]:
                return TEXTS

        model = Embedder("mini")
        expected = model.encode(TEXTS)
        for texts in [(text for text in TEXTS), Series(), Column(), np.array(TEXTS), dict.fromkeys(TEXTS).keys()]:
            np.testing.assert_array_equal(model.encode(texts), expected)
        self.assertEqual(model.encode(np.str_("Apples fall.")).shape, expected[0].shape)

    def test_a_huge_text_is_cut(self) -> None:
        model = Embedder("mini", max_seq_length=64)
        text = "Apples fall. " * 100_000
        self.assertEqual(model.encode(text).shape, (model.get_embedding_dimension(),))
        with self.assertRaisesRegex(InputError, "more than the limit of 64"):
            Embedder("mini", max_seq_length=64, truncate="error").encode(["a", text])

    def test_arguments_of_the_model_card_mean_what_they_can(self) -> None:
        folder = FIXTURES / "tiny-embedding"
        with self.assertWarns(FutureWarning):
            model = Embedder(
                folder,
                model_kwargs={"attn_implementation": "flash_attention_2", "device_map": "auto"},
                tokenizer_kwargs={"padding_side": "left"},
            )
        self.assertEqual(model.dtype, "bf16")
        wide = Embedder(folder, model_kwargs={"torch_dtype": "torch.float32", "device_map": "cpu"})
        self.assertEqual((wide.dtype, wide.device), ("f32", "cpu"))
        self.assertIn("cpu", qwen3_burn.devices())
        reranker = FIXTURES / "tiny-reranker-tied"
        short = Reranker(reranker, max_length=120)
        self.assertEqual(short.max_seq_length, 120)
        pair = ("gravity", "Apples fall. " * 100)
        long = Reranker(reranker)
        score = long.predict(pair)
        long.max_seq_length = 120
        self.assertEqual(long.predict(pair), short.predict(pair))
        self.assertNotEqual(long.predict(pair), score)


class Calls(Offline):
    def test_progress_is_heard_and_ends_a_call(self) -> None:
        loading: list[Progress] = []
        model = Embedder(FIXTURES / "tiny-embedding", progress=loading.append, max_batch_tokens=16)
        self.assertEqual({step.stage for step in loading}, {"load"})
        self.assertGreater(loading[-1].done, loading[0].done)
        steps: list[Progress] = []
        model.encode(TEXTS * 5, progress=steps.append)
        self.assertEqual(steps[0], Progress("compute", 0, 15))
        self.assertEqual(steps[-1], Progress("compute", 15, 15))
        self.assertGreater(len(steps), 5)

        def stop(step: Progress) -> None:
            raise RuntimeError(f"enough at {step.done}")

        with self.assertRaisesRegex(RuntimeError, "enough at 0"):
            model.encode(TEXTS, progress=stop)
        self.assertEqual(model.encode(TEXTS).shape, (3, 32))

    def test_a_bar_is_drawn_where_it_is_asked_for(self) -> None:
        model = Embedder("mini")
        for asked, is_drawn in [(True, True), (False, False), (None, False)]:
            stream = io.StringIO()
            with contextlib.redirect_stderr(stream):
                model.encode(TEXTS, show_progress_bar=asked)
            self.assertEqual("3/3" in stream.getvalue(), is_drawn)

    def test_other_threads_run_and_several_may_call(self) -> None:
        model = Embedder("mini")
        expected = model.encode(TEXTS)
        found: list[Any] = [None] * 4
        ticks = 0

        def call(place: int) -> None:
            found[place] = model.encode(TEXTS * 200)[:3]

        threads = [threading.Thread(target=call, args=(place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            ticks += 1
            time.sleep(0.001)
        self.assertGreater(ticks, 10)
        for vectors in found:
            np.testing.assert_array_equal(vectors, expected)

    @unittest.skipIf(sys.platform == "win32", "signals are sent otherwise there")
    def test_ctrl_c_ends_a_call_and_the_model_is_as_good_as_before(self) -> None:
        many = ("mini", '["Apples fall. " * 50] * 100_000')
        # A batch of its own, which takes seconds.
        one = (str(FIXTURES / "tiny-embedding"), '"Apples fall. " * 30_000')
        for model, texts in (many, one):
            with self.subTest(texts):
                program = ENDLESS.format(model=model, texts=texts)
                process = subprocess.Popen(
                    [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
                assert process.stdout is not None
                self.assertEqual(process.stdout.readline(), "begun\n")
                time.sleep(0.2)
                begin = time.monotonic()
                process.send_signal(signal.SIGINT)
                told, errors = process.communicate(timeout=2 * PROMPTLY)
                self.assertLess(time.monotonic() - begin, PROMPTLY)
                self.assertIn("KeyboardInterrupt", errors)
                self.assertTrue(told.startswith("interrupted "), told)


class Copies(Offline):
    def test_a_pickled_model_loads_itself_again(self) -> None:
        model = Embedder(
            FIXTURES / "tiny-embedding", token="hf_secret", prompts={"mine": "Mine: "}, truncate_dim=8
        )
        model.max_seq_length = 6
        pickled = pickle.dumps(model)
        self.assertNotIn(b"secret", pickled)
        again = pickle.loads(pickled)
        self.assertEqual((again.prompts, again.max_seq_length), (model.prompts, 6))
        for call in [{}, {"prompt_name": "mine"}]:
            np.testing.assert_array_equal(again.encode(TEXTS, **call), model.encode(TEXTS, **call))
        reranker = Reranker(FIXTURES / "tiny-reranker-tied", activation_fn=np.tanh)
        again = pickle.loads(pickle.dumps(reranker))
        pairs = [("a", "b"), ("c", "d")]
        np.testing.assert_array_equal(again.predict(pairs), reranker.predict(pairs))

    def test_a_pickled_model_is_found_from_another_folder(self) -> None:
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(FIXTURES)
        pickled = pickle.dumps(Embedder("tiny-embedding"))
        with tempfile.TemporaryDirectory() as elsewhere:
            os.chdir(elsewhere)
            self.assertEqual(pickle.loads(pickled).encode("a").shape, (32,))
            os.chdir(FIXTURES)

    def test_a_copy_has_prompts_of_its_own_and_the_same_weights(self) -> None:
        mine = {"mine": "Mine: "}
        model = Embedder("mini", prompts=mine)
        mine["mine"] = "Yours: "
        self.assertEqual(model.prompts["mine"], "Mine: ")
        for copied in (copy.copy(model), copy.deepcopy(model)):
            copied.prompts["mine"] = "Other: "
            self.assertEqual(model.prompts["mine"], "Mine: ")
            self.assertIs(copied._core, model._core)
        model.prompts["new"] = "New: "
        np.testing.assert_array_equal(
            model.encode("a", prompt_name="new"), model.encode("a", prompt="New: ")
        )

    @unittest.skipUnless(hasattr(os, "fork"), "this system has no fork")
    def test_a_fork_is_told_that_its_threads_stayed_behind(self) -> None:
        model = Embedder("mini")
        model.encode(TEXTS)
        with warnings.catch_warnings():
            # Python tells since 3.12 what is tested here.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                model.encode(TEXTS)
            except DeviceError as error:
                os._exit(7 if "spawn" in str(error) else 1)
            os._exit(2)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 7)
        self.assertEqual(len(model.encode(TEXTS)), 3)


class Guides(unittest.TestCase):
    def test_the_example_of_the_package_is_true(self) -> None:
        found = doctest.testmod(qwen3_burn)
        self.assertEqual((found.failed, found.attempted > 3), (0, True))


@unittest.skipIf(importlib.util.find_spec("pyarrow") is None, "pyarrow is not installed")
class Columns(Offline):
    def test_a_column_has_the_vectors_of_its_texts_and_nothing_where_there_is_none(self) -> None:
        import pyarrow as pa
        from qwen3_burn._arrow import vectors_of

        model = Embedder("mini")
        texts = pa.chunked_array([["a", None], ["b"]])
        for column in (texts, texts.dictionary_encode(), texts.cast(pa.large_string())):
            vectors = vectors_of(model, column, {}).to_pylist()
            self.assertIsNone(vectors[1])
            for vector, text in ((vectors[0], "a"), (vectors[2], "b")):
                np.testing.assert_array_equal(np.float32(vector), model.encode(text))
        for nothing in (pa.array([], pa.string()), pa.nulls(2)):
            self.assertEqual(vectors_of(model, nothing, {}).to_pylist(), [None] * len(nothing))
        with self.assertRaisesRegex(InputError, "int64"):
            vectors_of(model, pa.array([1]), {})

    def test_a_column_is_of_float32_whatever_is_asked_for(self) -> None:
        from qwen3_burn._arrow import check_choices

        self.assertEqual(check_choices({"prompt_name": "query"}), {"prompt_name": "query"})
        for choices in ({"precision": "int8"}, {"output_value": "token_embeddings"}):
            with self.assertRaisesRegex(OptionError, "quantize_embeddings"):
                check_choices(choices)


if __name__ == "__main__":
    unittest.main()
