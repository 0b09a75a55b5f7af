"""Real clients against a real server of the tiny checkpoints: they must read its
answers and errors without knowing that it isn't the server they were written for.

    python -m venv target/clients
    target/clients/bin/pip install -r tests/clients/requirements.txt
    target/clients/bin/python tests/clients/clients.py target/release/qwen3
"""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import cohere
import huggingface_hub
import ollama
import openai
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
KEY = "key-of-the-tests"
TEXTS = ["What is the capital of China?", "Explain gravity"]


class Server:
    """`qwen3 serve` on a free port."""

    def __init__(self, binary, *flags):
        command = [
            binary, "serve", "--hostname", "127.0.0.1", "--port", "0", "--device", "cpu",
            "--model", FIXTURES / "tiny-embedding", "--reranker", FIXTURES / "tiny-reranker-tied",
            "--json-output", *flags,
        ]
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        self.process = subprocess.Popen(command, stderr=self.log)
        for _ in range(200):
            for line in open(self.log.name):
                line = json.loads(line)
                if line["message"] == "listening":
                    self.url = line["url"]
                    return
            assert self.process.poll() is None, open(self.log.name).read()
            time.sleep(0.05)
        raise TimeoutError(open(self.log.name).read())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0
        return open(self.log.name).read()


def unit(vector):
    return abs(sum(x * x for x in vector) - 1) < 1e-5


def close(left, right):
    return len(left) == len(right) and all(abs(a - b) < 1e-6 for a, b in zip(left, right))


def check_openai(url, expected):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    # The package asks for base64 unless told otherwise.
    answer = client.embeddings.create(model="any", input=TEXTS)
    assert all(close(item.embedding, vector) for item, vector in zip(answer.data, expected))
    assert answer.usage.prompt_tokens > 0
    answer = client.embeddings.create(
        model="any", input=TEXTS[0], dimensions=8, encoding_format="float",
        extra_body={"instruction": "Find it"},
    )
    assert len(answer.data[0].embedding) == 8 and unit(answer.data[0].embedding)
    answer = client.embeddings.create(model="any", input=[[72, 69], [70]])
    assert [item.index for item in answer.data] == [0, 1]
    assert len(client.models.list().data) == 2
    for wrong, error in [({"input": []}, openai.BadRequestError), ({"input": "a", "dimensions": 99}, openai.BadRequestError)]:
        try:
            client.embeddings.create(model="any", **wrong)
            raise AssertionError(wrong)
        except error as refused:
            assert refused.body["type"] == "invalid_request_error", refused.body
            assert refused.param in wrong, refused.body
    # A blank text is written by programs that cut texts, and counted like any other; so is half an emoji, which this
    # package can't write, but others can.
    answer = client.embeddings.create(model="any", input=["good", ""])
    assert [item.index for item in answer.data] == [0, 1]
    headers = {"Authorization": f"Bearer {KEY}"}
    body = {"model": "any", "input": ["good", "cut \ud83d here"]}
    answer = requests.post(f"{url}/v1/embeddings", json=body, headers=headers)
    assert answer.status_code == 200 and len(answer.json()["data"]) == 2, answer.text
    try:
        openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0).models.list()
        raise AssertionError("a wrong key")
    except openai.AuthenticationError as refused:
        assert refused.code == "invalid_api_key"


def check_cohere(url):
    documents = ["Gravity is a force.", "The capital of China is Beijing.", "A river."]
    for client in [cohere.ClientV2(api_key=KEY, base_url=url), cohere.Client(api_key=KEY, base_url=url)]:
        answer = client.rerank(model="any", query=TEXTS[0], documents=documents, top_n=2)
        assert len(answer.results) == 2
        assert answer.results[0].relevance_score >= answer.results[1].relevance_score
    try:
        cohere.ClientV2(api_key=KEY, base_url=url).rerank(model="any", query="a", documents=documents, top_n=0)
        raise AssertionError("no results")
    except cohere.core.api_error.ApiError as refused:
        assert refused.status_code == 422 and "top_n" in refused.body["message"], refused
    objects = [{"title": "Gravity", "body": "A force."}, {"title": "River", "body": "Water."}]
    answer = cohere.Client(api_key=KEY, base_url=url).rerank(
        model="any", query=TEXTS[0], documents=objects, rank_fields=["title", "body"], return_documents=True
    )
    assert {item.document.text for item in answer.results} == {"Gravity\nA force.", "River\nWater."}


def check_huggingface_hub(url, expected):
    client = huggingface_hub.InferenceClient(base_url=None, model=f"{url}/embed", token=KEY)
    vectors = client.feature_extraction(TEXTS)
    assert all(close(list(map(float, row)), vector) for row, vector in zip(vectors, expected))
    client = huggingface_hub.InferenceClient(model=f"{url}/similarity", token=KEY)
    similarities = client.sentence_similarity(TEXTS[0], [TEXTS[0], TEXTS[1]])
    assert abs(similarities[0] - 1) < 1e-5


def check_ollama(url, expected):
    client = ollama.Client(host=url, headers={"Authorization": f"Bearer {KEY}"})
    answer = client.embed(model="any", input=TEXTS)
    assert all(close(row, vector) for row, vector in zip(answer.embeddings, expected))
    assert close(client.embeddings(model="any", prompt=TEXTS[0]).embedding, expected[0])
    assert len(client.list().models) == 2
    assert client.embed(model="any", input="").embeddings == []
    try:
        client.embed(model="any", input=TEXTS, dimensions=99)
        raise AssertionError("99 dimensions")
    except ollama.ResponseError as refused:
        assert refused.status_code == 400 and "dimensions" in refused.error, refused


def check_dify(url):
    """Its provider asks `/info` what the one model is, and takes the first word."""
    for prefix, kind in [("embedder", "embedding"), ("reranker", "reranker")]:
        info = requests.get(f"{url}/{prefix}/info", headers={"Authorization": f"Bearer {KEY}"}).json()
        assert list(info["model_type"]) == [kind], info
    header = {"Authorization": f"Bearer {KEY}"}
    body = {"query": TEXTS[0], "texts": TEXTS, "return_text": True}
    answer = requests.post(f"{url}/reranker/rerank", json=body, headers=header).json()
    assert {item["text"] for item in answer} == set(TEXTS)


def check_curl(url):
    """The command of the model card."""
    command = [
        "curl", "-sS", f"{url}/embed", "-X", "POST", "-d",
        '{"inputs": ["Instruct: Given a web search query, retrieve relevant passages that answer '
        'the query\\nQuery: What is the capital of China?"]}',
        "-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {KEY}",
    ]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert len(answer) == 1 and unit(answer[0])


def check_schemathesis(url, folder):
    """Every route against its description, with bodies made from it."""
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    command = [
        program, "run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {KEY}",
        "--checks", "not_a_server_error,response_schema_conformance,content_type_conformance",
        "--max-examples", "40", "--seed", "1", "--phases", "examples,coverage,fuzzing",
        "--request-timeout", "20",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    server = Server(binary, "--api-key", KEY)
    try:
        header = {"Authorization": f"Bearer {KEY}"}
        answer = requests.post(f"{server.url}/embed", json={"inputs": TEXTS}, headers=header)
        expected = answer.json()
        for name, check in [
            ("openai", lambda: check_openai(server.url, expected)),
            ("cohere", lambda: check_cohere(server.url)),
            ("huggingface_hub", lambda: check_huggingface_hub(server.url, expected)),
            ("ollama", lambda: check_ollama(server.url, expected)),
            ("dify", lambda: check_dify(server.url)),
            ("curl", lambda: check_curl(server.url)),
        ]:
            check()
            print(f"{name}: ok", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            check_schemathesis(server.url, folder)
            print("schemathesis: ok", flush=True)
    finally:
        log = server.stop()
    for secret in [KEY, *TEXTS]:
        assert secret not in log, "the log holds a text or a key"
    assert '"level":"ERROR"' not in log, log
    # Its OpenAI test sends ids, as LangChain does.
    assert log.count("check_embedding_ctx_length") == 1, log
    print("log: no text, no key, no error; exit code 0 after SIGTERM")


main()
