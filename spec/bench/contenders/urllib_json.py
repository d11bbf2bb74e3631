"""Python's standard library: urllib.request and json, a request at a time. A last argument `gzip` asks for gzip."""
import gzip
import json
import sys
import time
import urllib.parse
import urllib.request

PAGE_REACH, PER_CREATE = 10, 100
job, count, url, key, fields = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
compressed = sys.argv[6:] == ["gzip"]


def send(address, body=None):
    req = urllib.request.Request(address, data=body, method="POST" if body else "GET")
    req.add_header("Authorization", f"Bearer {key}")
    if body:
        req.add_header("Content-Type", "application/json")
    if compressed:
        req.add_header("Accept-Encoding", "gzip")
        return json.loads(gzip.decompress(urllib.request.urlopen(req).read()))
    return json.load(urllib.request.urlopen(req))


def record(n):
    return {
        "Last_Name": f"Lead {n}", "First_Name": "Bench", "Company": f"Company {n}", "Email": f"lead.{n}@example.com",
        "Phone": f"555-000-{n}", "Website": f"https://www.example.com/{n}", "City": "Oslo", "Country": "Norway",
        "No_of_Employees": n, "Annual_Revenue": n * 1000, "Email_Opt_Out": False,
        "Description": "Comparing three suppliers, decides this quarter.",
    }


def walk():
    n, total, first = 0, 0, None
    query, page = "page=1", 1
    while query:
        answer = send(f"{url}/crm/v8/Leads?fields={fields}&{query}")
        for lead in answer["data"]:
            if first is None:
                first = time.monotonic()
            n += 1
            total += lead["Annual_Revenue"]
        page, query = page + 1, None
        if answer["info"]["more_records"]:
            token = answer["info"]["next_page_token"]
            query = f"page={page}" if page <= PAGE_REACH else "page_token=" + urllib.parse.quote(token, safe="")
    return n, total + int(lead["id"][-6:]), first


def create():
    n, total = 0, 0
    for begin in range(1, count + 1, PER_CREATE):
        body = json.dumps({"data": [record(begin + i) for i in range(PER_CREATE)]}).encode()
        for item in send(f"{url}/crm/v8/Leads", body)["data"]:
            if item["code"] == "SUCCESS":
                n += 1
                total += int(item["details"]["id"][-6:])
    return n, total, None


start = time.monotonic()
n, total, first = walk() if job == "walk" else create()
print(json.dumps({"records": n, "sum": total, "start": start, "first": first, "end": time.monotonic()}))
