"""Runs commands through pywinrm and prints what came back as one line of JSON. Arguments: URL, way of logging on, user; the
password and the path of the authority's certificate come from the environment."""
import json
import os
import sys

import winrm
from winrm.exceptions import InvalidCredentialsError
from winrm.protocol import Protocol

url, transport, user = sys.argv[1:4]
protocol = Protocol(endpoint=url, transport=transport, username=user, password=os.environ['PASSWORD'],
                    ca_trust_path=os.environ['AUTHORITY'], cert_pem=os.environ.get('CERTIFICATE'), cert_key_pem=os.environ.get('KEY'),
                    read_timeout_sec=30, operation_timeout_sec=20)


def run(line, arguments=()):
    shell = protocol.open_shell(codepage=65001)
    try:
        command = protocol.run_command(shell, line, arguments)
        try:
            out, problems, code = protocol.get_command_output(shell, command)
        finally:
            protocol.cleanup_command(shell, command)
    finally:
        protocol.close_shell(shell)
    return {'out': out.decode(), 'problems': problems.decode(), 'code': code}


try:
    result = {'hello': run('hello', ['a b', 'c']), 'large': len(run('large')['out'])}
    if os.environ.get('POWERSHELL'):
        session = winrm.Session(url, auth=(user, os.environ['PASSWORD']), transport=transport, ca_trust_path=os.environ['AUTHORITY'])
        answer = session.run_ps(os.environ['POWERSHELL'])
        result = {'hello': {'out': answer.std_out.decode(), 'problems': answer.std_err.decode(), 'code': answer.status_code}}
except InvalidCredentialsError:
    result = {'refused': True}
print(json.dumps(result))
