import Foundation

/// What the loopback server was asked.
struct ServedRequest: Sendable {
    var path: String
    var userAgent: String
    /// By the clock that the server was given.
    var time: Duration
}

/// What the loopback server does with a request.
enum ServedAnswer: Sendable {
    case page(String)
    case answer(Int, headers: [String: String] = [:], body: [UInt8] = [])
    /// Announces more bytes than it sends.
    case truncated(String)
    /// Says nothing until the client goes away.
    case silence
}

/// A small HTTP server on a port of 127.0.0.1: a thread that accepts, a thread for each connection, one answer for each connection.
///
/// `@unchecked Sendable`: the log is used under `lock`, everything else is set once.
final class LoopbackServer: @unchecked Sendable {
    let port: Int
    private let listener: Int32
    private let lock = NSLock()
    private var log: [ServedRequest] = []
    private let now: @Sendable () -> Duration
    private let respond: @Sendable (_ path: String, _ visit: Int) -> ServedAnswer

    /// `respond` is told the path and how often it was asked for before.
    init(now: @escaping @Sendable () -> Duration = { .zero }, respond: @escaping @Sendable (String, Int) -> ServedAnswer) throws {
        (self.now, self.respond) = (now, respond)
        #if canImport(Darwin)
            listener = socket(AF_INET, SOCK_STREAM, 0)
        #else
            listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (listener, size) = (listener, length)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && listen(listener, 16) == 0 && getsockname(listener, address, &length) == 0
            }
        }
        guard isListening else { throw URLError(.cannotConnectToHost) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread { [self] in serve(connection) }
            }
        }
    }

    /// Every request so far, robots.txt included.
    var requests: [ServedRequest] { lock.withLock { log } }
    var paths: [String] { requests.map(\.path) }
    var address: String { "http://127.0.0.1:\(port)" }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var request: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !request.suffix(4).elementsEqual([13, 10, 13, 10]) {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            request += buffer[..<count]
        }
        let lines = String(decoding: request, as: UTF8.self).split(separator: "\r\n")
        let path = lines[0].split(separator: " ").dropFirst().first.map(String.init) ?? ""
        let agent = lines.first { $0.lowercased().hasPrefix("user-agent:") }?.dropFirst(12) ?? ""
        let visits = lock.withLock {
            log.append(ServedRequest(path: path, userAgent: String(agent), time: now()))
            return log.count { $0.path == path } - 1
        }
        switch respond(path, visits) {
        case .page(let html): send(connection, 200, ["Content-Type": "text/html; charset=utf-8"], Array(html.utf8))
        case .answer(let status, let headers, let body): send(connection, status, headers, body)
        case .truncated(let html):
            send(connection, 200, ["Content-Type": "text/html", "Content-Length": "\(html.utf8.count + 1000)"], Array(html.utf8))
        case .silence: while recv(connection, &buffer, buffer.count, 0) > 0 {}
        }
    }

    private func send(_ connection: Int32, _ status: Int, _ headers: [String: String], _ body: [UInt8]) {
        var headers = headers
        if headers["Content-Length"] == nil { headers["Content-Length"] = "\(body.count)" }
        headers["Connection"] = "close"
        let head = "HTTP/1.1 \(status) Status\r\n" + headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined() + "\r\n"
        var bytes = (Array(head.utf8) + body)[...]
        #if canImport(Darwin)
            var on: Int32 = 1
            setsockopt(connection, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
            let flags: Int32 = 0
        #else
            let flags = Int32(MSG_NOSIGNAL)
        #endif
        while !bytes.isEmpty {
            #if canImport(Darwin)
                let count = bytes.withUnsafeBytes { Darwin.send(connection, $0.baseAddress, $0.count, flags) }
            #else
                let count = bytes.withUnsafeBytes { Glibc.send(connection, $0.baseAddress, $0.count, flags) }
            #endif
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// A clock on which sleeping takes no time: it jumps to where the sleeper wants to be.
///
/// `@unchecked Sendable`: the time is used under `lock`.
final class JumpingClock: Clock, @unchecked Sendable {
    struct Instant: InstantProtocol {
        var offset: Duration
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private let lock = NSLock()
    private var time = Instant(offset: .zero)
    var now: Instant { lock.withLock { time } }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try Task.checkCancellation()
        lock.withLock { time = max(time, deadline) }
    }
}
